// SPDX-License-Identifier: Apache-2.0
#include "plan/shared_memory.h"

#include <algorithm>

namespace ridgeline {
namespace {

constexpr int64_t kFloatBytes = 4;

// The largest of all blocks, part by part: which one is in flight beside which does not matter then.
struct LargestBlock {
  int64_t numbers = 0;
  int64_t gather_bytes = 0;    // As it arrives, the rank's own part included.
  int64_t gradient_bytes = 0;  // A rank's, on its way: what goes to others and what comes.
};

LargestBlock LargestOf(const SharedModel& model, size_t rank) {
  LargestBlock largest;
  for (int64_t i = 0; i < model.blocks(); ++i) {
    const SharedUnit& block = model.block(i);
    largest.numbers = std::max(largest.numbers, block.numbers);
    largest.gather_bytes = std::max(largest.gather_bytes, block.whole.gather_bytes);
    largest.gradient_bytes = std::max(largest.gradient_bytes, block.GradientSent(rank) + block.GradientReceived(rank));
  }
  return largest;
}

int64_t NumbersOfBlocks(const SharedModel& model) {
  int64_t numbers = 0;
  for (int64_t i = 0; i < model.blocks(); ++i) numbers += model.block(i).numbers;
  return numbers;
}

// What a rank has beside its state at the three moments of a training pass when it may need most.
class Moments {
 public:
  Moments(const SharedModel& model, const ActivationBytes& activations, const SharedMemoryOptions& options, size_t rank)
      : activations_(activations), bytes_(options.element_bytes), largest_(LargestOf(model, rank)) {
    const SharedUnit& outer = model.outer();
    outer_ = outer.numbers * bytes_;
    outer_gradient_ = outer.GradientSent(rank) + outer.GradientReceived(rank);
    const int64_t at_once = std::min<int64_t>(2, model.blocks());
    arriving_ = at_once * largest_.gather_bytes;
    gathered_ = (options.reshards ? at_once * largest_.numbers : NumbersOfBlocks(model)) * bytes_;
    forming_ = at_once * largest_.numbers * bytes_;
  }

  // The embedding is whole, and so becomes its gradient; the last block is still there, and the one before arrives.
  MemoryPlan AtTheHead() const {
    return {.gathered_bytes = outer_ + gathered_ + arriving_,
            .in_flight_bytes = outer_,
            .activations_bytes = activations_.kept,
            .working_bytes = activations_.head};
  }
  // One block's gradient is formed while that of the one before is on its way.
  MemoryPlan InTheBackwardPass() const {
    return {.gathered_bytes = gathered_ + arriving_,
            .in_flight_bytes = outer_ + forming_ + largest_.gradient_bytes,
            .activations_bytes = activations_.kept,
            .working_bytes = activations_.block};
  }
  MemoryPlan AtTheEnd() const { return {.in_flight_bytes = outer_ + outer_gradient_ + largest_.gradient_bytes}; }

 private:
  const ActivationBytes& activations_;
  const int64_t bytes_;  // Of a number of the compute dtype.
  const LargestBlock largest_;
  int64_t outer_ = 0;  // To compute with, and as large its gradient.
  int64_t outer_gradient_ = 0;
  int64_t gathered_ = 0;
  int64_t arriving_ = 0;
  int64_t forming_ = 0;
};

MemoryPlan OfRank(const SharedModel& model, const ActivationBytes& activations, const SharedMemoryOptions& options,
                  size_t rank) {
  const Moments moments(model, activations, options, rank);
  MemoryPlan memory = std::max({moments.AtTheHead(), moments.InTheBackwardPass(), moments.AtTheEnd()},
                               [](const auto& a, const auto& b) { return a.moment_bytes() < b.moment_bytes(); });
  const RankHolding& holding = model.ranks[rank];
  const int64_t number_bytes = (holding.numbers + model.whole_numbers) * kFloatBytes;
  memory.masters_bytes = number_bytes;
  memory.gradients_bytes = number_bytes;
  memory.optimizer_bytes = 2 * number_bytes;
  memory.copies_bytes = holding.code_bytes + holding.saved_bytes;
  memory.teacher_bytes = options.teacher_bytes;
  return memory;
}

}  // namespace

MemoryPlan PlanSharedMemory(const SharedModel& model, const ActivationBytes& activations,
                            const SharedMemoryOptions& options) {
  MemoryPlan most;
  for (size_t rank = 0; rank < model.ranks.size(); ++rank)
    if (const MemoryPlan memory = OfRank(model, activations, options, rank); memory.peak_bytes() > most.peak_bytes())
      most = memory;
  return most;
}

}  // namespace ridgeline
