// SPDX-License-Identifier: Apache-2.0
#include "plan/shared_memory.h"

#include <algorithm>

namespace ridgeline {
namespace {

constexpr int64_t kFloatBytes = 4;

// Blocks whose weights are on their way beside the one that computes, or the head.
constexpr int64_t kArriving = 1;

// The largest of all blocks, part by part: which one is in flight beside which does not matter then.
struct LargestBlock {
  int64_t numbers = 0;
  int64_t gather_bytes = 0;                        // As it arrives, the rank's own part included.
  int64_t outgoing_bytes = 0, incoming_bytes = 0;  // Of its gradient, the rank's own part included.
};

int64_t IncomingBytes(const SharedModel& model, const SharedUnit& unit, size_t rank) {
  return std::ssize(model.ranks) * unit.parts[rank].gradient_bytes;
}

LargestBlock LargestOf(const SharedModel& model, size_t rank) {
  LargestBlock largest;
  for (int64_t i = 0; i < model.blocks(); ++i) {
    const SharedUnit& block = model.block(i);
    largest.numbers = std::max(largest.numbers, block.numbers);
    largest.gather_bytes = std::max(largest.gather_bytes, block.whole.gather_bytes);
    largest.outgoing_bytes = std::max(largest.outgoing_bytes, block.whole.gradient_bytes);
    largest.incoming_bytes = std::max(largest.incoming_bytes, IncomingBytes(model, block, rank));
  }
  return largest;
}

int64_t NumbersOfBlocks(const SharedModel& model) {
  int64_t numbers = 0;
  for (int64_t i = 0; i < model.blocks(); ++i) numbers += model.block(i).numbers;
  return numbers;
}

// What a rank has beside its state at the moments of a training pass when it may need most.
class Moments {
 public:
  Moments(const SharedModel& model, const ActivationBytes& activations, const SharedMemoryOptions& options, size_t rank)
      : activations_(activations),
        largest_(LargestOf(model, rank)),
        others_(model.blocks() - 1),
        reshards_(options.reshards) {
    const SharedUnit& outer = model.outer();
    outer_ = outer.numbers * options.element_bytes;
    outer_on_its_way_ = outer.whole.gradient_bytes + IncomingBytes(model, outer, rank);
    block_ = largest_.numbers * options.element_bytes;
    all_blocks_ = NumbersOfBlocks(model) * options.element_bytes;
  }

  // The embedding is whole, and so becomes its gradient.
  MemoryPlan AtTheHead() const {
    return {.gathered_bytes = outer_ + Gathered(kArriving),
            .in_flight_bytes = outer_,
            .activations_bytes = activations_.kept,
            .working_bytes = activations_.head};
  }
  // One block's gradient is formed while that of the one before is on its way.
  MemoryPlan InTheBackwardPass() const {
    return {.gathered_bytes = Gathered(kArriving),
            .in_flight_bytes = outer_ + block_ + OnItsWay(),
            .activations_bytes = activations_.kept,
            .working_bytes = activations_.block};
  }
  // It is written as it travels while the one before still does.
  MemoryPlan BetweenBlocks() const {
    return {.gathered_bytes = Gathered(kArriving) - block_,
            .in_flight_bytes = outer_ + block_ + largest_.outgoing_bytes + OnItsWay(),
            .activations_bytes = activations_.kept};
  }
  MemoryPlan AtTheEnd() const { return {.in_flight_bytes = outer_ + outer_on_its_way_ + OnItsWay()}; }

 private:
  int64_t Gathered(int64_t arriving) const {
    return reshards_ ? block_ + std::min(arriving, others_) * largest_.gather_bytes : all_blocks_;
  }
  int64_t OnItsWay() const { return largest_.outgoing_bytes + largest_.incoming_bytes; }

  const ActivationBytes& activations_;
  const LargestBlock largest_;
  const int64_t others_;  // Blocks but one.
  const bool reshards_;
  int64_t outer_ = 0, block_ = 0, all_blocks_ = 0;  // To compute with, and as large their gradients.
  int64_t outer_on_its_way_ = 0;
};

// Of a number; sums in float64 have a float32 beside them.
int64_t GradientBytes(const SharedMemoryOptions& options) {
  return options.sum_bytes == kFloatBytes ? kFloatBytes : options.sum_bytes + kFloatBytes;
}

MemoryPlan OfRank(const SharedModel& model, const ActivationBytes& activations, const SharedMemoryOptions& options,
                  size_t rank) {
  const Moments moments(model, activations, options, rank);
  MemoryPlan memory =
      std::max({moments.AtTheHead(), moments.InTheBackwardPass(), moments.BetweenBlocks(), moments.AtTheEnd()},
               [](const auto& a, const auto& b) { return a.moment_bytes() < b.moment_bytes(); });
  const RankHolding& holding = model.ranks[rank];
  const int64_t number_bytes = (holding.numbers + model.whole_numbers) * kFloatBytes;
  memory.masters_bytes = number_bytes;
  memory.gradients_bytes = number_bytes / kFloatBytes * GradientBytes(options);
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
