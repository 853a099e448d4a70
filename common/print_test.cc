// SPDX-License-Identifier: Apache-2.0
#include "common/print.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <string>

namespace ridgeline {
namespace {

const std::string kSmall = "one line\n", kLarge(1 << 20, 'x');

// How a child ends (as of waitpid) that prints with this descriptor, or none, as its standard output.
int RunChild(int out_fd, const std::function<int()>& run) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (out_fd >= 0) dup2(out_fd, STDOUT_FILENO);
    if (out_fd < 0) close(STDOUT_FILENO);
    _exit(run());
  }
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

int PrintAndFinish(const std::string& text) {
  OpenStandardStreams();
  PrintOut("{}", text);
  return FinishOutput(0);
}

TEST(Print, AFullDeviceGivesExitCode1ForLittleAndMuch) {
  const int fd = open("/dev/full", O_WRONLY);
  ASSERT_GE(fd, 0);
  for (const std::string& text : {kSmall, kLarge}) {
    const int status = RunChild(fd, [&] { return PrintAndFinish(text); });
    ASSERT_TRUE(WIFEXITED(status)) << status;
    EXPECT_EQ(WEXITSTATUS(status), 1) << text.size();
  }
  close(fd);
}

TEST(Print, AnotherExitCodeThan0Stays) {
  const int fd = open("/dev/full", O_WRONLY);
  const int status = RunChild(fd, [] {
    PrintOut("{}", kSmall);
    return FinishOutput(12);
  });
  EXPECT_EQ(WEXITSTATUS(status), 12);
  close(fd);
}

TEST(Print, AClosedOutputIsAnErrorOnlyIfSomethingIsPrinted) {
  EXPECT_EQ(WEXITSTATUS(RunChild(-1, [] { return PrintAndFinish(kSmall); })), 1);
  EXPECT_EQ(WEXITSTATUS(RunChild(-1, [] { return PrintAndFinish(""); })), 0);
}

TEST(Print, AReaderThatWentAwayEndsTheProcessAsSigpipeDoesAlsoWhereThatIsIgnored) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  for (const auto handler : {SIG_DFL, SIG_IGN}) {
    for (const std::string& text : {kSmall, kLarge}) {
      const int status = RunChild(ends[1], [&] {
        signal(SIGPIPE, handler);
        return PrintAndFinish(text);
      });
      ASSERT_TRUE(WIFSIGNALED(status)) << status;
      EXPECT_EQ(WTERMSIG(status), SIGPIPE);
    }
  }
  close(ends[1]);
}

TEST(Print, AllThatIsPrintedArrives) {
  FILE* file = std::tmpfile();
  const int status = RunChild(fileno(file), [] {
    PrintOut("{} ", 1);
    WriteOut(kLarge);
    if (!FlushOut().ok()) return 3;
    PrintOut("{}", 2);
    return FinishOutput(7);
  });
  EXPECT_EQ(WEXITSTATUS(status), 7);
  std::string text(kLarge.size() + 100, '\0');
  std::rewind(file);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  EXPECT_EQ(text, "1 " + kLarge + "2");
  std::fclose(file);
}

TEST(Print, AFullStandardErrorThrowsNothing) {
  const int fd = open("/dev/full", O_WRONLY);
  const int status = RunChild(STDOUT_FILENO, [&] {
    dup2(fd, STDERR_FILENO);
    PrintErr("{}", kLarge);
    return FinishOutput(0);
  });
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), 0);
  close(fd);
}

}  // namespace
}  // namespace ridgeline
