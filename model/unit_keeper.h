// SPDX-License-Identifier: Apache-2.0
// What passes through a network tell whoever holds its weights apart from it, a unit (model/blueprint/shards.h) at a
// time: when they will read them, and when gradients are whole.
#pragma once

#include <cstdint>

namespace ridgeline {

// A training pass calls, with units in [] and n blocks,
//     BeforeForward[outer]  BeforeForward[0] AfterForward[0] ... BeforeForward[n - 1] AfterForward[n - 1]
//     BeforeBackward[outer] AfterForward[outer]
//     BeforeBackward[n - 1] AfterBackward[n - 1] ... BeforeBackward[0] AfterBackward[0]  AfterBackward[outer]
// and a pass that only computes the first line and AfterForward[outer]. Called by the thread that passes; what they
// throw ends the pass.
class UnitKeeper {
 public:
  virtual ~UnitKeeper() = default;
  enum class Pass { kForward, kTraining };
  // A pass begins, or a rank that has nothing to compute stands in for one.
  virtual void BeginPass(Pass pass) = 0;
  // `compute` of the unit's parameters is read from now on.
  virtual void BeforeForward(int64_t unit) = 0;
  // And not any more, until BeforeBackward.
  virtual void AfterForward(int64_t unit) = 0;
  // `compute` is read and `gradient` added to from now on.
  virtual void BeforeBackward(int64_t unit) = 0;
  // `gradient` is whole, and neither is looked at any more.
  virtual void AfterBackward(int64_t unit) = 0;
  // Between two products: what goes on meanwhile may be moved on.
  virtual void Proceed() = 0;
  // The calls that are left of the pass that began last, if any are: for a rank that failed within it, whose peers go
  // on. Does not throw.
  virtual void FinishPass() = 0;
};

}  // namespace ridgeline
