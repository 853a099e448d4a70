// SPDX-License-Identifier: Apache-2.0
// What fake_nvml.cc answers, for tests: set through the environment, and taken back at the end.
#pragma once

#include <cstdlib>
#include <set>
#include <string>

namespace ridgeline::test {

// A host with so many GPUs of the fake. One at a time; not while other threads read the environment.
class FakeHost {
 public:
  explicit FakeHost(int gpus) { Set("GPUS", std::to_string(gpus)); }
  ~FakeHost() {
    for (const std::string& name : set_) ::unsetenv(name.c_str());
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  // "MIG_0": its variable without FAKE_NVML_.
  FakeHost& Set(const std::string& name, const std::string& value) {
    set_.insert("FAKE_NVML_" + name);
    ::setenv(("FAKE_NVML_" + name).c_str(), value.c_str(), 1);
    return *this;
  }

 private:
  std::set<std::string> set_;
};

}  // namespace ridgeline::test
