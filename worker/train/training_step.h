// SPDX-License-Identifier: Apache-2.0
// One optimizer step on all ranks: passes over micro-batches, the sum of gradients, clipping, the optimizer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "method/quantizer_spec.h"
#include "model/language_model.h"
#include "worker/parallel/strategy.h"
#include "worker/train/attempt_context.h"
#include "worker/train/checkpoint_saving.h"
#include "worker/train/data_order.h"
#include "worker/train/reporter.h"
#include "worker/train/run_observer.h"
#include "worker/train/training_data.h"

namespace ridgeline {

struct TakenStep {
  StepReport report;
  StopRequest stop = StopRequest::kNone;  // What rank 0 was asked before the ranks met; the same on all of them.
  SavingCount saving;                     // Of all ranks, of the checkpoint that was under way.
};

// Owned by the attempt, called by its thread.
class TrainingStep {
 public:
  // What a step needs; all of it must outlive it.
  struct Parts {
    LanguageModel* model = nullptr;
    LanguageModel* teacher = nullptr;  // Null without distillation.
    Strategy* strategy = nullptr;      // With room for kExtras.
    const CheckpointSaving* saving = nullptr;
    const TrainingData* data = nullptr;
    double flops = 0;         // Of a step on the rank with most sequences; 0: not known.
    double peak_flops = 0;    // Of a rank's GPU in a second; 0: not known.
    SparsityPattern pattern;  // The recipe's, which a schedule reaches in the end.
  };

  // Scalars that travel behind the gradients in the step's one all-reduce.
  static constexpr size_t kExtras = 7;

  TrainingStep(const Parts& parts, AttemptContext* context) : parts_(parts), context_(*context) {}

  // Called by every rank after `step` steps. A step whose loss or gradient is not finite leaves the weights alone and
  // says so in its report. A rank's error is every rank's.
  absl::StatusOr<TakenStep> Take(int64_t step);

 private:
  absl::Status ForwardBackward(int64_t step);
  void AddMicroBatch(int64_t step, Share share);
  void SetExtras(const absl::Status& computed);
  void Update(int64_t step, StepReport* report);
  double ClippingFactor(double norm) const;

  const Parts parts_;
  AttemptContext& context_;
};

}  // namespace ridgeline
