// SPDX-License-Identifier: Apache-2.0
// Places where tests let something go wrong. Nothing happens there, and it costs one load, unless a test arms one. The
// environment can arm crashes alone, at the start of a program: RIDGELINE_FAILPOINTS="journal.before_commit=crash@3".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace ridgeline {

enum class FailpointAction {
  kFault,  // Failpoint answers true: the code there does the wrong thing.
  kCrash,  // The process ends at once, as by kill -9, with exit status 86.
};

// Whether the place is to do the wrong thing now. Thread-safe.
bool Failpoint(std::string_view name);

// From its `first`th visit on; a crash needs no second. Thread-safe.
void ArmFailpoint(const std::string& name, FailpointAction action, int64_t first = 1);
void DisarmFailpoints();

// NAME=crash@N or NAME=fault@N, several with commas; @1 may be left out. INVALID_ARGUMENT if the text is none.
absl::Status ArmFailpoints(const std::string& text);
// From the environment; refuses faults, so that nobody can switch off a check of a program that others rely on.
absl::Status ArmFailpointsFromEnvironment();

}  // namespace ridgeline
