// SPDX-License-Identifier: Apache-2.0
// The texts of an attempt, open on each rank: what a step trains on, and what validation scores.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "ridgeline/v1/recipe.pb.h"
#include "worker/train/data_order.h"
#include "worker/train/evaluate.h"
#include "worker/train/reporter.h"

namespace ridgeline {

struct TrainingData {
  std::unique_ptr<Dataset> dataset;
  std::unique_ptr<Dataset> second;  // Null without validation.second_path.
  WindowOptions window;
};

// Errors name the path. Rank 0, which `is_root` says, also looks whether a pretrained model and the dataset have the
// same tokenizer, and tells `reporter` if it cannot.
absl::StatusOr<TrainingData> OpenTrainingData(const v1::Recipe& recipe, bool is_root, Reporter* reporter);

// Inputs and targets, (B, T) int64 each, of the samples [share.begin, share.end) of a step's batch.
std::pair<at::Tensor, at::Tensor> BatchOf(const TrainingData& data, const v1::Training& training, int64_t step,
                                          Share share);

}  // namespace ridgeline
