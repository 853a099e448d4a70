// SPDX-License-Identifier: Apache-2.0
// The calls that a pass makes to its model's keeper, in their order (model/unit_keeper.h): what tells a keeper which
// unit is needed next, and a rank that stands in what to do.
#pragma once

#include <cstdint>
#include <vector>

#include "model/unit_keeper.h"

namespace ridgeline {

struct PassCall {
  enum class Kind { kBeforeForward, kAfterForward, kBeforeBackward, kAfterBackward };
  Kind kind;
  int64_t unit;

  bool needs_weights() const { return kind == Kind::kBeforeForward || kind == Kind::kBeforeBackward; }
  bool operator==(const PassCall&) const = default;
};

std::vector<PassCall> ScriptOf(UnitKeeper::Pass pass, int64_t blocks);

}  // namespace ridgeline
