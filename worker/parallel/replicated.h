// SPDX-License-Identifier: Apache-2.0
// Data parallelism: every rank holds weights, gradients and optimizer whole, and one all-reduce a step sums the
// gradients of the ranks' shares of the batch.
#pragma once

#include <cstddef>
#include <memory>

#include "comm/communicator.h"
#include "model/language_model.h"
#include "ridgeline/v1/recipe.pb.h"
#include "worker/parallel/gradients.h"
#include "worker/parallel/strategy.h"

namespace ridgeline {

struct ReplicatedOptions {
  GradientSums sums = GradientSums::kFloat32;
  size_t extras = 0;
  double mask_decay = 0;  // As AdamW takes it.
};

// `model` and `communicator` must outlive it; the model's weights are those of its masters and of its own pattern.
std::unique_ptr<Strategy> MakeReplicated(LanguageModel* model, const v1::Optimizer& optimizer,
                                         const ReplicatedOptions& options, Communicator& communicator);

}  // namespace ridgeline
