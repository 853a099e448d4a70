// SPDX-License-Identifier: Apache-2.0
// The first numbers of the scales that a model learns for its inputs.
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/status/status.h"
#include "comm/communicator.h"
#include "model/language_model.h"

namespace ridgeline {

// Sets them from what `tokens`, (B, T) int64, make of the inputs, on rank 0, and gives its numbers to all ranks, so
// that these begin alike. Every rank calls it; nothing happens without such scales.
absl::Status SetInputScales(LanguageModel* model, const at::Tensor& tokens, Communicator& communicator);

}  // namespace ridgeline
