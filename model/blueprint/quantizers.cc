// SPDX-License-Identifier: Apache-2.0
#include "model/blueprint/quantizers.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "method/estimator_traits.h"

namespace ridgeline {
namespace {

constexpr int64_t kHiddenFeatures = 8;
constexpr int64_t kStatistics = 3;  // mean, standard deviation and largest size of a token
// The same in every layer, and apart from the generator of the weights, which are then those of other estimators.
constexpr uint64_t kHiddenSeed = 9;

bool IsQuantized(const ParameterShape& parameter, const Quantizers& quantizers) {
  return parameter.kind == ParameterKind::kLinear && !MatchesAny(quantizers.skip, parameter.name);
}

ParameterShape ScaleOf(const ParameterShape& layer, const QuantizerSpec& weight) {
  return {.name = layer.name + ".scale",
          .kind = ParameterKind::kWeightScale,
          .sizes = {weight.granularity == Granularity::kRow ? layer.rows() : 1, 1}};
}

}  // namespace

bool MatchesAny(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return fnmatch(pattern.c_str(), name.c_str(), 0) == 0; });
}

QuantizerSpec QuantizerOf(const EmbeddingFormat& embedding) {
  QuantizerSpec spec;
  if (embedding.format == Format::kNone) return spec;
  spec.estimator = "torchao";
  spec.format = embedding.format;
  spec.scheme = Scheme::kLinear;
  spec.block = embedding.block;
  spec.scale_precision = ScalePrecision::kFloat16;
  return spec;
}

QuantizerSpec WeightQuantizerOf(const ParameterShape& parameter, const Quantizers& quantizers) {
  if (parameter.kind == ParameterKind::kEmbedding) return QuantizerOf(quantizers.embedding);
  return IsQuantized(parameter, quantizers) ? quantizers.weight : QuantizerSpec{};
}

QuantizerSpec InputQuantizerOf(const ParameterShape& parameter, const Quantizers& quantizers) {
  return IsQuantized(parameter, quantizers) ? quantizers.activation : QuantizerSpec{};
}

ParameterList LearnedByInput(const std::string& layer, const QuantizerSpec& activation) {
  if (!activation.learns_scale()) return {};
  auto learned = [&](const char* suffix, std::vector<int64_t> sizes, const FirstValues& first_values = {}) {
    return ParameterShape{.name = layer + suffix,
                          .kind = ParameterKind::kOfInput,
                          .sizes = std::move(sizes),
                          .first_values = first_values};
  };
  ParameterList list = {learned(".input_scale", {1, 1})};
  if (!FindEstimatorTraits(activation.estimator)->has_scale_of_token) return list;
  list.push_back(learned(".input_beta.hidden.weight", {kHiddenFeatures, kStatistics},
                         {.stddev = 1 / std::sqrt(static_cast<double>(kStatistics)), .own_seed = kHiddenSeed}));
  list.push_back(learned(".input_beta.hidden.bias", {kHiddenFeatures}));
  list.push_back(learned(".input_beta.out.weight", {1, kHiddenFeatures}));  // Zeros: beta begins at 1.
  list.push_back(learned(".input_beta.out.bias", {1}));
  return list;
}

ParameterList WithLearned(const ParameterList& network, const Quantizers& quantizers) {
  ParameterList list;
  std::set<std::pair<int64_t, LayerInput>> quantized_inputs;
  for (const ParameterShape& parameter : network) {
    if (IsQuantized(parameter, quantizers)) {
      if (quantized_inputs.insert({parameter.block, parameter.input}).second)
        for (ParameterShape& learned : LearnedByInput(parameter.name, quantizers.activation)) list.push_back(learned);
      if (quantizers.weight.learns_scale()) list.push_back(ScaleOf(parameter, quantizers.weight));
    }
    list.push_back(parameter);
  }
  return list;
}

}  // namespace ridgeline
