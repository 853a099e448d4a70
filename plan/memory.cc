// SPDX-License-Identifier: Apache-2.0
#include "plan/memory.h"

#include <algorithm>

#include "method/resolved_spec.h"
#include "plan/traffic.h"

namespace ridgeline {
namespace {

constexpr int64_t kFloatBytes = 4;

// Embeddings have a copy in bfloat16 alone; norms and biases never have one. With it goes what the quantizer saves for
// its backward pass.
int64_t CopiesBytes(const ParameterList& parameters, const Quantizers& quantizers, int64_t element_bytes) {
  int64_t elements = 0, saved_bytes = 0;
  for (const ParameterShape& parameter : parameters) {
    const bool is_matrix = parameter.is_weight_matrix();
    const QuantizerSpec quantizer = WeightQuantizerOf(parameter, quantizers);
    const bool has_copy = quantizer.enabled() || (is_matrix && element_bytes != kFloatBytes);
    if (is_matrix) saved_bytes += parameter.rows() * SavedBytes(quantizer, parameter.columns());
    elements += has_copy ? parameter.elements() : 0;
  }
  return elements * element_bytes + saved_bytes;
}

// Of a number: the sum that passes add to, or what one pass makes; sums in float64 have a float32 beside them.
int64_t GradientBytes(const v1::Training& training, int64_t ranks) {
  if (training.deterministic()) return SumBytes(training) + kFloatBytes;
  return SplitBatch(training, ranks).accumulates() ? kFloatBytes : ElementBytes(training);
}

}  // namespace

ActivationBytes ActivationsOfRank(const v1::Recipe& recipe, const ModelConfig& config, const Quantizers& quantizers,
                                  int64_t ranks) {
  const v1::Training& training = recipe.training();
  return ActivationsOf(config, quantizers,
                       {.sequences = SplitBatch(training, ranks).sequences_per_pass,
                        .seq_len = training.seq_len(),
                        .element_bytes = ElementBytes(training),
                        .recomputes = recipe.activation_checkpoint().mode() == "full",
                        .distills = training.distill().weight() > 0});
}

int64_t TeacherBytes(const v1::Recipe& recipe, const ModelConfig& config) {
  if (recipe.training().distill().weight() <= 0) return 0;
  const ParameterList network = ParametersOf(config);
  return Count(network, {}).total * kFloatBytes + CopiesBytes(network, {}, ElementBytes(recipe.training()));
}

MemoryPlan PlanMemory(const v1::Recipe& recipe, const ModelConfig& config, const Quantizers& quantizers,
                      int64_t ranks) {
  const v1::Training& training = recipe.training();
  const int64_t element_bytes = ElementBytes(training);
  const ParameterList parameters = WithLearned(ParametersOf(config), quantizers);
  const ParameterCounts counts = Count(parameters, quantizers);
  MemoryPlan memory;
  memory.masters_bytes = counts.total * kFloatBytes;
  memory.copies_bytes = CopiesBytes(parameters, quantizers, element_bytes);
  memory.gradients_bytes = counts.total * GradientBytes(training, ranks);
  memory.optimizer_bytes = 2 * counts.total * kFloatBytes;
  memory.teacher_bytes = TeacherBytes(recipe, config);
  const ActivationBytes activations = ActivationsOfRank(recipe, config, quantizers, ranks);
  memory.activations_bytes = activations.kept;
  // A weight's bfloat16 gradient is widened on its way to a learned scale, when activations are gone.
  const bool widens = memory.gradients_bytes < memory.masters_bytes && quantizers.weight.learns_scale();
  const int64_t update_bytes = widens ? counts.largest_quantized * kFloatBytes : 0;
  memory.working_bytes = std::max(activations.working(), update_bytes - activations.kept);
  return memory;
}

}  // namespace ridgeline
