// SPDX-License-Identifier: Apache-2.0
#include "model/blueprint/shards.h"

#include <algorithm>
#include <map>
#include <string>

#include "method/resolved_spec.h"
#include "quant/codes/packed_layout.h"

namespace ridgeline {
namespace {

std::vector<RowRange> EvenRows(int64_t rows, int64_t ranks) {
  std::vector<RowRange> ranges;
  for (int64_t rank = 0; rank < ranks; ++rank) ranges.push_back({rank * rows / ranks, (rank + 1) * rows / ranks});
  return ranges;
}

std::vector<RowRange> AllRowsOn(size_t owner, int64_t rows, int64_t ranks) {
  std::vector<RowRange> ranges(static_cast<size_t>(ranks));
  for (size_t rank = 0; rank < ranges.size(); ++rank) ranges[rank] = {rank > owner ? rows : 0, rank < owner ? 0 : rows};
  return ranges;
}

class Cutter {
 public:
  Cutter(const Quantizers& quantizers, int64_t ranks)
      : quantizers_(quantizers), ranks_(ranks), numbers_(static_cast<size_t>(ranks), 0) {}

  ParameterShards OfMatrix(const ParameterShape& matrix) {
    const QuantizerSpec quantizer = WeightQuantizerOf(matrix, quantizers_);
    ParameterShards shards{EvenRows(matrix.rows(), ranks_)};
    if (quantizer.quantizes() && !TreatsRowsAlone(quantizer))
      shards.by_rank = AllRowsOn(LeastLoaded(), matrix.rows(), ranks_);
    for (size_t rank = 0; rank < numbers_.size(); ++rank)
      numbers_[rank] += shards.by_rank[rank].count() * matrix.columns();
    return shards;
  }

  // `shards`: its matrix's.
  ParameterShards OfScale(const ParameterShape& scale, const ParameterShards& shards) const {
    if (scale.rows() > 1) return shards;
    const auto owner = std::find_if(shards.by_rank.begin(), shards.by_rank.end(),
                                    [](const RowRange& range) { return range.count() > 0; });
    return {AllRowsOn(static_cast<size_t>(owner - shards.by_rank.begin()), 1, ranks_)};
  }

 private:
  size_t LeastLoaded() const {
    return static_cast<size_t>(std::min_element(numbers_.begin(), numbers_.end()) - numbers_.begin());
  }

  const Quantizers& quantizers_;
  const int64_t ranks_;
  std::vector<int64_t> numbers_;  // Of matrices, by rank.
};

}  // namespace

std::vector<ParameterShards> ShardsOf(const ParameterList& parameters, const Quantizers& quantizers, int64_t ranks) {
  std::vector<ParameterShards> shards(parameters.size());
  if (ranks == 1) return shards;
  Cutter cutter(quantizers, ranks);
  std::map<std::string, ParameterShards> by_name;
  for (size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].is_weight_matrix()) by_name[parameters[i].name] = shards[i] = cutter.OfMatrix(parameters[i]);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const ParameterShape& scale = parameters[i];
    if (scale.kind != ParameterKind::kWeightScale) continue;
    shards[i] = cutter.OfScale(scale, by_name.at(scale.name.substr(0, scale.name.rfind('.'))));
  }
  return shards;
}

bool TravelsAsCodes(const QuantizerSpec& quantizer, int64_t rows, int64_t columns) {
  const bool has_noise = quantizer.adds_noise() && !quantizer.hard_rounding;
  return quantizer.quantizes() && !has_noise && quantizer.scale_precision != ScalePrecision::kComputed &&
         PackedLayoutOf(quantizer, rows, columns).ok();
}

int64_t GatherBytes(const QuantizerSpec& quantizer, int64_t rows, int64_t columns, int64_t number_bytes) {
  if (rows == 0) return 0;
  if (!TravelsAsCodes(quantizer, rows, columns)) return rows * columns * number_bytes;
  return PackedLayoutOf(quantizer, rows, columns)->total_bytes();
}

}  // namespace ridgeline
