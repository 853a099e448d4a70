// SPDX-License-Identifier: Apache-2.0
#include "plan/parameters.h"

#include <algorithm>

namespace ridgeline {

ParameterCounts Count(const ParameterList& parameters, const Quantizers& quantizers) {
  ParameterCounts counts;
  for (const ParameterShape& parameter : parameters) {
    const int64_t elements = parameter.elements();
    counts.total += elements;
    if (parameter.kind == ParameterKind::kEmbedding || parameter.kind == ParameterKind::kPositions)
      counts.embeddings += elements;
    if (parameter.kind == ParameterKind::kLinear) counts.linears += elements;
    if (parameter.of_quantizer()) counts.learned += elements;
    if (parameter.kind == ParameterKind::kEmbedding && WeightQuantizerOf(parameter, quantizers).enabled())
      counts.has_quantized_embedding = true;
    if (!WeightQuantizerOf(parameter, quantizers).enabled() || parameter.kind != ParameterKind::kLinear) continue;
    counts.quantized += elements;
    counts.largest_quantized = std::max(counts.largest_quantized, elements);
  }
  return counts;
}

}  // namespace ridgeline
