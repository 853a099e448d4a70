// SPDX-License-Identifier: Apache-2.0
// The step between the sum of gradients and the optimizer: each gradient goes through its quantizer, and all of them
// are measured.
#pragma once

#include <vector>

#include "model/language_model.h"
#include "worker/parallel/runs_of_rows.h"
#include "worker/parallel/strategy.h"

namespace ridgeline {

// Sums of squares: float64 scalars on the model's device.
struct GradientSquares {
  at::Tensor shared;  // Of this rank's rows of parameters that ranks share.
  at::Tensor whole;   // Of parameters that it holds whole.
};

// dL/dcompute becomes dL/dmaster, of every parameter; `runs` are the model's. With the same bits whatever the
// number of threads.
GradientSquares PassThroughQuantizers(LanguageModel* model, const std::vector<RunOfRows>& runs);

// Reads squares and extras at once: StepSums of them.
StepSums ReadSums(const at::Tensor& squares, const at::Tensor& extras);

}  // namespace ridgeline
