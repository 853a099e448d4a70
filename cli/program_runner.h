// SPDX-License-Identifier: Apache-2.0
// For tests: runs the real `ridgeline` in a state folder of its own.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace ridgeline {

struct ProgramResult {
  int exit_code = -1;
  std::string out;
  std::string err;
};

class ProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "ridgeline-cli-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    state_ = dir_ + "/state";
  }
  void TearDown() override {
    Run("down");
    std::filesystem::remove_all(dir_);
  }

  // `arguments` as typed in a shell. Killed after a minute and a half.
  ProgramResult Run(const std::string& arguments) const {
    const std::string out = dir_ + "/out", err = dir_ + "/err";
    const std::string command = "unset RIDGELINE_COORDINATOR; RIDGELINE_STATE='" + state_ + "' timeout -k 5 90 '" +
                                RIDGELINE_PROGRAM + "' " + arguments + " >'" + out + "' 2>'" + err + "'";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, Read(out), Read(err)};
  }

  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ + "/" + name) << text;
    return dir_ + "/" + name;
  }

  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  std::string dir_, state_;
};

}  // namespace ridgeline
