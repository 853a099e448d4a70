// SPDX-License-Identifier: Apache-2.0
// AdamW over a model's masters, in one pass over memory that also scales the gradients, writes the bfloat16 copies and
// quantizes what can be quantized row by row.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "model/kernels/rows.h"
#include "model/language_model.h"
#include "ridgeline/v1/recipe.pb.h"
#include "worker/parallel/runs_of_rows.h"

namespace ridgeline {

// Owned and called by one thread; the model must outlive it.
class AdamW {
 public:
  // `mask_decay` is that of sparsity.mask_decay_kind decoupled (docs/methods.md#pruning), else 0.
  AdamW(LanguageModel* model, const v1::Optimizer& options, double mask_decay = 0);

  // Gradients are multiplied by gradient_scale first (clipping). Masters and what layers compute with are new after it.
  void Step(double learning_rate, double gradient_scale);

  // What it keeps, under "optimizer.*" names: views for saving and restoring.
  std::map<std::string, at::Tensor> State() const;
  int64_t bytes() const;  // Of its moments.
  int64_t steps_taken() const { return steps_.item<int64_t>(); }

 private:
  struct Moments {
    at::Tensor first, second;
  };
  void DecayPruned(Parameter* parameter, double learning_rate);
  rows::AdamwStep StepOf(double learning_rate, double gradient_scale) const;
  void StepRun(rows::AdamwStep step, const RunOfRows& run);

  LanguageModel* model_;
  v1::Optimizer options_;
  double mask_decay_;
  std::vector<RunOfRows> runs_;
  std::vector<Moments> moments_;  // One a parameter, in their order.
  at::Tensor steps_;              // Scalar int64: those taken.
};

}  // namespace ridgeline
