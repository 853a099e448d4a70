// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"

#include <algorithm>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/blueprint/cost.h"
#include "plan/shared_memory.h"
#include "plan/units.h"

namespace ridgeline {
namespace {

constexpr double kGibibyte = 1 << 30;

// Of a batch cut as evenly as the trainer cuts it, every rank has a sequence once there are as many.
int64_t IdleRanks(const v1::Training& training, int64_t ranks) {
  return std::max<int64_t>(0, ranks - training.global_batch_size());
}

SharedModel Share(const v1::Recipe& recipe, const ParameterList& parameters, const Quantizers& quantizers,
                  const Degrees& degrees) {
  return ShareOf(
      parameters, quantizers, degrees.shard,
      {.number_bytes = ElementBytes(recipe.training()), .gradient_dtype = recipe.parallelism().gradient_dtype()});
}

}  // namespace

absl::StatusOr<Plan> PlanJob(const v1::Recipe& recipe, int64_t vocab_size, int64_t ranks, const Device& device) {
  ASSIGN_OR_RETURN(const ModelConfig config, ConfigFromRecipe(recipe, vocab_size));
  if (VocabSizeOf(config) == 0)
    return absl::InvalidArgumentError(fmt::format(
        "the vocabulary of {} is the dataset's, which is not known: prepare dataset.path, or give --vocab-size",
        ModelLabel(recipe)));
  RETURN_IF_ERROR(CheckFits(recipe, vocab_size, VocabSizeOf(config), LongestSequenceOf(config)));
  RETURN_IF_ERROR(CheckExport(recipe));
  ASSIGN_OR_RETURN(const Quantizers quantizers, QuantizersFromRecipe(recipe));
  const ParameterList parameters = WithLearned(ParametersOf(config), quantizers);
  Plan plan{.name = recipe.name(), .model = ModelLabel(recipe), .ranks = ranks};
  ASSIGN_OR_RETURN(plan.degrees, DegreesOf(recipe.parallelism(), ranks));
  plan.idle_ranks = IdleRanks(recipe.training(), ranks);
  plan.batch = SplitBatch(recipe.training(), ranks);
  plan.parameters = Count(parameters, quantizers);
  if (plan.is_shared()) {
    const SharedModel shared = Share(recipe, parameters, quantizers, plan.degrees);
    plan.memory = PlanSharedMemory(shared, ActivationsOfRank(recipe, config, quantizers, ranks),
                                   {.element_bytes = ElementBytes(recipe.training()),
                                    .reshards = ReshardsAfterForward(recipe.parallelism()),
                                    .sum_bytes = SumBytes(recipe.training()),
                                    .teacher_bytes = TeacherBytes(recipe, config)});
    plan.work = PlanWork(recipe, config, quantizers, plan.degrees, &shared, device);
  } else {
    plan.memory = PlanMemory(recipe, config, quantizers, ranks);
    plan.work = PlanWork(recipe, config, quantizers, plan.degrees, nullptr, device);
  }
  plan.cost = CostOf(parameters, quantizers);
  plan.asked_bytes = recipe.resources().memory() * kGibibyte;
  return plan;
}

}  // namespace ridgeline
