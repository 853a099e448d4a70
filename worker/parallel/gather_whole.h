// SPDX-License-Identifier: Apache-2.0
// The end of shared training: one rank gets the model whole.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "comm/communicator.h"
#include "model/blueprint/shards.h"
#include "model/language_model.h"

namespace ridgeline {

// Called by every rank of `group`, which shares the model as `shards` says, by parameter. On its rank 0 no parameter is
// shared any more, and weights are quantized. Those of other ranks stay as they are.
absl::Status GatherWhole(LanguageModel* model, const std::vector<ParameterShards>& shards, Communicator& group);

}  // namespace ridgeline
