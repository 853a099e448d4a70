// SPDX-License-Identifier: Apache-2.0
#include "common/print.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "common/exit_code.h"

namespace ridgeline {
namespace {

int first_error = 0;  // Of standard output; 0: none.

// Where our parent ignores SIGPIPE, writing fails instead.
[[noreturn]] void EndAsSigpipeDoes() {
  signal(SIGPIPE, SIG_DFL);
  raise(SIGPIPE);
  _exit(128 + SIGPIPE);
}

void KeepError(bool written) {
  if (written) return;
  if (errno == EPIPE) EndAsSigpipeDoes();
  if (first_error == 0) first_error = errno;
}

absl::Status OutputStatus() {
  if (first_error == 0) return absl::OkStatus();
  return absl::UnknownError(fmt::format("standard output cannot be written to: {}", std::strerror(first_error)));
}

}  // namespace

void OpenStandardStreams() {
  // Not for writing: printing to a descriptor that was closed is an error as before.
  for (int fd = open("/dev/null", O_RDONLY); fd >= 0; fd = open("/dev/null", O_RDONLY)) {
    if (fd <= STDERR_FILENO) continue;
    close(fd);
    return;
  }
}

void WriteOut(std::string_view text) {
  if (first_error != 0) return;
  KeepError(std::fwrite(text.data(), 1, text.size(), stdout) == text.size());
}

void WriteErr(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

absl::Status FlushOut() {
  if (first_error == 0) KeepError(std::fflush(stdout) == 0);
  return OutputStatus();
}

int FinishOutput(int exit_code) {
  absl::Status status = FlushOut();
  // Some file systems say only now that a disk is full.
  if (status.ok()) KeepError(std::fclose(stdout) == 0);
  status = OutputStatus();
  if (status.ok() || exit_code == kExitError) return exit_code;
  PrintErr("ridgeline: {}\n", std::string(status.message()));
  return exit_code == kExitOk ? kExitError : exit_code;
}

}  // namespace ridgeline
