// SPDX-License-Identifier: Apache-2.0
// Training whose ranks share the model (docs/scaling.md): each holds some rows of every matrix, of its gradient and of
// the optimizer's state, quantizes and steps those alone, and has the whole of a block only while it computes with it.
#pragma once

#include <cstddef>
#include <memory>

#include "comm/communicator.h"
#include "model/kernels/gradient_wire.h"
#include "model/language_model.h"
#include "ridgeline/v1/recipe.pb.h"
#include "worker/parallel/gradients.h"
#include "worker/parallel/strategy.h"

namespace ridgeline {

// Who exchanges what. All must outlive the strategy.
struct ShardedRanks {
  Communicator* all = nullptr;
  Communicator* shard = nullptr;      // Those that share one copy of the model with this rank, two or more.
  Communicator* replicate = nullptr;  // Those that hold the same rows of other copies; null where there is one copy.
};

struct ShardedOptions {
  bool reshard_after_forward = true;
  GradientDtype gradient_dtype = GradientDtype::kFloat32;
  GradientSums sums = GradientSums::kFloat32;  // Or kFloat64.
  size_t extras = 0;
  double mask_decay = 0;  // As AdamW takes it.
};

// `model` must outlive it, and was made with shard_rank and shard_ranks as ranks.shard has them. It is the model's
// keeper: passes through it are collectives of ranks.shard, of which each rank makes as many as its peers
// (PassWithoutTokens). Where one fails to exchange, they throw StatusError, and ReduceGradients says so, too.
std::unique_ptr<Strategy> MakeSharded(LanguageModel* model, const v1::Optimizer& optimizer,
                                      const ShardedOptions& options, const ShardedRanks& ranks);

}  // namespace ridgeline
