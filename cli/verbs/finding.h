// SPDX-License-Identifier: Apache-2.0
// One line of `ridgeline doctor`.
#pragma once

#include <string>

namespace ridgeline {

enum class Level { kOk, kWarn, kFail };

struct Finding {
  Level level = Level::kOk;
  std::string what;
  std::string detail;
  std::string remedy;  // Shown unless ok; empty where `detail` has it.
};

}  // namespace ridgeline
