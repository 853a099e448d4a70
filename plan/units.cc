// SPDX-License-Identifier: Apache-2.0
#include "plan/units.h"

#include <algorithm>

#include "method/resolved_spec.h"

namespace ridgeline {
namespace {

constexpr int64_t kBlockOfInt8 = 128;

// Rows of one matrix go to one unit and to the ranks that own them.
void AddMatrix(const ParameterShape& matrix, const QuantizerSpec& quantizer, const ParameterShards& shards,
               const WireFormat& wire, SharedUnit* unit, std::vector<RankHolding>* ranks) {
  const int64_t row_saved_bytes = SavedBytes(quantizer, matrix.columns());
  unit->numbers += matrix.elements();
  for (size_t rank = 0; rank < ranks->size(); ++rank) {
    const int64_t rows = shards.by_rank[rank].count(), numbers = rows * matrix.columns();
    const int64_t gather_bytes = GatherBytes(quantizer, rows, matrix.columns(), wire.number_bytes);
    const int64_t gradient_bytes = GradientWireBytes(wire.gradient_dtype, numbers);
    unit->parts[rank].gather_bytes += gather_bytes;
    unit->parts[rank].gradient_bytes += gradient_bytes;
    unit->whole.gather_bytes += gather_bytes;
    unit->whole.gradient_bytes += gradient_bytes;
    (*ranks)[rank].numbers += numbers;
    (*ranks)[rank].saved_bytes += rows * row_saved_bytes;
    if (quantizer.enabled()) (*ranks)[rank].code_bytes += gather_bytes;
  }
}

int64_t BlocksOf(const ParameterList& parameters) {
  int64_t blocks = 0;
  for (const ParameterShape& parameter : parameters) blocks = std::max(blocks, parameter.block + 1);
  return blocks;
}

}  // namespace

int64_t GradientWireBytes(std::string_view gradient_dtype, int64_t count) {
  if (gradient_dtype == "int8") return (count + 3) / 4 * 4 + (count + kBlockOfInt8 - 1) / kBlockOfInt8 * 4;
  return gradient_dtype == "bfloat16" ? (2 * count + 3) / 4 * 4 : 4 * count;
}

int64_t SharedUnit::MostGatherSent() const {
  int64_t most = 0;
  for (size_t rank = 0; rank < parts.size(); ++rank) most = std::max(most, GatherSent(rank));
  return most;
}

int64_t SharedUnit::MostGradientSent() const {
  int64_t most = 0;
  for (size_t rank = 0; rank < parts.size(); ++rank) most = std::max(most, GradientSent(rank));
  return most;
}

SharedModel ShareOf(const ParameterList& parameters, const Quantizers& quantizers, int64_t ranks,
                    const WireFormat& wire) {
  const std::vector<ParameterShards> shards = ShardsOf(parameters, quantizers, ranks);
  SharedModel model;
  model.ranks.resize(static_cast<size_t>(ranks));
  model.units.resize(static_cast<size_t>(BlocksOf(parameters)) + 1);
  for (size_t i = 0; i < model.units.size(); ++i) {
    model.units[i].unit = i == 0 ? kOuterUnit : static_cast<int64_t>(i) - 1;
    model.units[i].parts.resize(static_cast<size_t>(ranks));
  }
  for (size_t i = 0; i < parameters.size(); ++i) {
    const ParameterShape& parameter = parameters[i];
    if (!shards[i].is_shared()) {
      model.whole_numbers += parameter.elements();
    } else if (parameter.is_weight_matrix()) {
      SharedUnit& unit = model.units[static_cast<size_t>(parameter.block + 1)];
      AddMatrix(parameter, WeightQuantizerOf(parameter, quantizers), shards[i], wire, &unit, &model.ranks);
    } else {  // Scales that are learned for rows never travel: codes hold what others need of them.
      for (size_t rank = 0; rank < model.ranks.size(); ++rank) {
        const int64_t scales = shards[i].by_rank[rank].count() * parameter.columns();
        model.ranks[rank].numbers += scales;
        model.ranks[rank].learned += scales;
      }
    }
  }
  return model;
}

}  // namespace ridgeline
