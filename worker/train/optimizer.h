// SPDX-License-Identifier: Apache-2.0
// AdamW over a model's parameters, whose gradients live in one flat buffer so that one all-reduce sums them all.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/gpt.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// Owned and called by one thread.
class AdamW {
 public:
  // `extras` floats follow the gradients in the flat buffer, for scalars that travel with them.
  AdamW(const std::vector<NamedParameter>& parameters, const v1::Optimizer& options, int64_t extras);

  void ZeroGradients();

  // All gradients, and the extras behind them; contiguous.
  std::span<float> flat_with_extras();
  std::span<float> extras();

  // Global L2 norm of the gradients before clipping; scales them down to max_norm (0: never).
  double ClipGradients(double max_norm);

  void Step(double learning_rate);

  // State under "optimizer.*" names: views for saving, checked against the shapes when loading.
  std::map<std::string, at::Tensor> State() const;
  absl::Status LoadState(const std::map<std::string, at::Tensor>& state);

 private:
  // Parameters that share a weight decay.
  struct Group {
    double weight_decay = 0;
    std::vector<at::Tensor> parameters, gradients, first_moments, second_moments, steps;
    std::vector<std::string> names;
  };

  v1::Optimizer options_;
  at::Tensor flat_;  // (gradient elements + extras)
  int64_t gradient_elements_ = 0;
  Group groups_[2];  // Decaying, not decaying.
};

}  // namespace ridgeline
