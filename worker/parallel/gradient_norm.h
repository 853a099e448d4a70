// SPDX-License-Identifier: Apache-2.0
// The step between the sum of gradients and the optimizer: each gradient goes through its quantizer, and all of them
// are measured.
#pragma once

#include <vector>

#include "model/language_model.h"
#include "worker/parallel/runs_of_rows.h"

namespace ridgeline {

// Sums of squares.
struct GradientSquares {
  double shared = 0;  // Of this rank's rows of parameters that ranks share.
  double whole = 0;   // Of parameters that it holds whole.
};

// dL/dcompute becomes dL/dmaster, of every parameter; `runs` are the model's. On LibTorch's threads, with the same bits
// whatever their number.
GradientSquares PassThroughQuantizers(LanguageModel* model, const std::vector<RunOfRows>& runs);

}  // namespace ridgeline
