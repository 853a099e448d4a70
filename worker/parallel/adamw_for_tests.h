// SPDX-License-Identifier: Apache-2.0
// The optimizer's numbers that tests of this folder train with.
#pragma once

#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

inline v1::Optimizer AdamwForTests() {
  v1::Optimizer options;
  options.set_beta1(0.9);
  options.set_beta2(0.99);
  options.set_eps(1e-8);
  return options;
}

}  // namespace ridgeline
