// SPDX-License-Identifier: Apache-2.0
#include "quant/packed/packed_matrix.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "fmt/format.h"
#include "method/estimator_traits.h"
#include "method/hadamard_sign.h"
#include "method/resolved_spec.h"
#include "quant/codes/row_levels.h"
#include "quant/codes/statistics_bytes.h"
#include "quant/kernels/estimator.h"
#include "quant/kernels/hadamard.h"
#include "quant/kernels/kernel_matrix.h"

namespace ridgeline {
namespace {

constexpr int kLargestWeight = 127, kLargestInput = std::numeric_limits<int16_t>::max();

// The levels of inputs; those of estimators for one side alone have books, too.
std::optional<IntegerLevels> LevelsOfInputs(const QuantizerSpec& spec) {
  const absl::StatusOr<CodeBook> book = CodeBookOf(spec);
  if (!book.ok()) return std::nullopt;
  return IntegerLevelsOf(*book, spec.format, kLargestInput, spec.sparsity.is_sparse());
}

// REQUIRES: the spec has a book.
int64_t LargestWhole(const QuantizerSpec& spec, const IntegerLevels& levels) {
  const CodeBook book = *CodeBookOf(spec);
  int64_t largest = 1;
  for (float level : book.levels())
    if (!std::isnan(level)) largest = std::max<int64_t>(largest, std::abs(levels.WholeOf(level)));
  return largest;
}

// Sums of each segment of each row of x.
std::vector<float> SegmentSums(const std::vector<float>& x, const PackedInputs& inputs) {
  std::vector<float> sums;
  for (int64_t c = 0; c < inputs.count; ++c)
    for (int64_t begin = 0; begin < inputs.features; begin += inputs.segment) {
      const float* first = x.data() + c * inputs.features + begin;
      sums.push_back(std::accumulate(first, first + std::min(inputs.segment, inputs.features - begin), 0.0f));
    }
  return sums;
}

}  // namespace

absl::StatusOr<PackedMatrix> PackedMatrix::Create(PackedTensor packed, const QuantizerSpec& inputs) {
  const QuantizerSpec& spec = packed.layout.spec;
  const absl::StatusOr<CodeBook> book = CodeBookOf(spec);
  if (!book.ok()) return book.status();
  const std::optional<IntegerLevels> levels =
      IntegerLevelsOf(*book, spec.format, kLargestWeight, spec.sparsity.is_sparse());
  if (!levels)
    return absl::UnimplementedError(
        fmt::format("{} {} has levels that are no whole numbers of a step", spec.estimator, FormatName(spec.format)));
  PackedMatrix matrix(std::move(packed), inputs, *levels);
  if (inputs.quantizes()) matrix.QuantizeInputs();
  return matrix;
}

void PackedMatrix::QuantizeInputs() {
  const QuantizerSpec& weights = packed_.layout.spec;
  const bool rotates_alike = inputs_.hadamard == weights.hadamard && inputs_.hadamard_signs == weights.hadamard_signs &&
                             (!inputs_.hadamard || inputs_.block == weights.block);
  const int64_t block = inputs_.granularity == Granularity::kBlock ? BlockLength(inputs_, features()) : features();
  const int64_t smaller = std::min(block, packed_.layout.block), larger = std::max(block, packed_.layout.block);
  const std::optional<IntegerLevels> levels = LevelsOfInputs(inputs_);
  if (inputs_.learns_scale() || !rotates_alike || larger % smaller != 0 || !levels) return;
  constexpr int64_t kMostProducts = std::numeric_limits<int32_t>::max() / kLargestWeight;
  if (smaller > kMostProducts / LargestWhole(inputs_, *levels)) return;
  segment_ = smaller;
  input_levels_ = levels;
}

void PackedMatrix::RotateInputs(std::span<const float> x, PreparedInputs* prepared) const {
  const QuantizerSpec& spec = packed_.layout.spec;
  prepared->numbers.assign(x.begin(), x.end());
  if (!spec.hadamard) return;
  for (size_t i = 0; spec.hadamard_signs && i < x.size(); ++i)
    if (HadamardSign(static_cast<int64_t>(i) % features()) < 0) prepared->numbers[i] = -x[i];
  for (size_t begin = 0; begin < x.size(); begin += static_cast<size_t>(spec.block))
    Hadamard(prepared->numbers.data() + begin, spec.block, prepared->numbers.data() + begin);
}

void PackedMatrix::EncodeInputs(std::span<const float> x, int64_t count, PreparedInputs* prepared) const {
  KernelMatrix matrix = KernelMatrixOf(inputs_, count, features());
  if (ScaleEncodingOf(inputs_.format) == ScaleEncoding::kE4m3)
    matrix.spec.tensor_max = LargestOfMatrix(inputs_, x.data(), count, features());
  const int64_t blocks = BlockCount(matrix.spec, matrix.features);
  std::vector<float> levels(x.size());
  std::vector<BlockStatistics> statistics(static_cast<size_t>(matrix.rows * blocks));
  (*EstimatorFor(inputs_))
      ->Encode(matrix.spec, x.data(), matrix.rows, matrix.features, levels.data(), statistics.data());
  const IntegerLevels& integers = *input_levels_;
  prepared->wholes.resize(x.size());
  const float inverse = 1 / integers.step;
  for (size_t i = 0; i < x.size(); ++i)
    prepared->wholes[i] = static_cast<int16_t>(std::lrint(levels[i] * inverse - integers.shift));
  const bool is_one = inputs_.granularity == Granularity::kTensor;
  const int64_t block = inputs_.granularity == Granularity::kBlock ? BlockLength(inputs_, features()) : features();
  for (int64_t c = 0; c < count; ++c)
    for (int64_t begin = 0; begin < features(); begin += segment_) {
      const BlockStatistics& of = statistics[static_cast<size_t>(is_one ? 0 : c * blocks + begin / block)];
      const float scale = of.scale * integers.step, base = scale * integers.shift + of.offset;
      const int64_t n = std::min(segment_, features() - begin);
      const int16_t* first = prepared->wholes.data() + c * features() + begin;
      prepared->scales.push_back(scale);
      prepared->bases.push_back(base);
      prepared->sums.push_back(scale * static_cast<float>(std::accumulate(first, first + n, int64_t{0})) +
                               base * static_cast<float>(n));
    }
}

PreparedInputs PackedMatrix::Prepare(std::span<const float> x, int64_t count) const {
  PreparedInputs prepared;
  prepared.view = {.count = count, .features = features(), .segment = segment_};
  if (quantizes_inputs()) {
    EncodeInputs(x, count, &prepared);
    prepared.view.wholes = prepared.wholes.data();
    prepared.view.scales = prepared.scales.data();
    const bool has_bases =
        std::any_of(prepared.bases.begin(), prepared.bases.end(), [](float base) { return base != 0; });
    if (has_bases) prepared.view.bases = prepared.bases.data();
  } else {
    RotateInputs(x, &prepared);
    prepared.view.numbers = prepared.numbers.data();
    prepared.sums = SegmentSums(prepared.numbers, prepared.view);
  }
  prepared.view.sums = prepared.sums.data();
  return prepared;
}

void PackedMatrix::MultiplyBy(Products products, const PreparedInputs& inputs, int64_t begin, int64_t end, float* y,
                              int64_t stride) const {
  const PackedView view = packed_.view();
  const PackedLayout& layout = view.layout;
  RowLevels<int8_t> levels(
      view, [&](float level) { return static_cast<int8_t>(level == level ? levels_.WholeOf(level) : 0); });
  const bool is_narrow = layout.storage == CodeStorage::kBits && layout.code_bits <= 4 && layout.code_bits != 3 &&
                         layout.selector_row_bytes == 0;
  int8_t table[16] = {};
  if (is_narrow) std::copy(levels.level_of_code().begin(), levels.level_of_code().end(), table);
  std::vector<int8_t> wholes(static_cast<size_t>(features()));
  std::vector<BlockStatistics> statistics(static_cast<size_t>(layout.blocks_per_row));
  std::vector<float> scales(static_cast<size_t>(inputs.view.segments())), bases(scales.size());
  for (int64_t row = begin; row < end; ++row) {
    for (size_t block = 0; block < statistics.size(); ++block)
      statistics[block] = LoadStatistics(view, layout.FirstBlock(row) + static_cast<int64_t>(block));
    if (is_narrow)
      UnpackWholes(view.codes.data() + row * layout.code_row_bytes, features(), layout.code_bits, table, wholes.data());
    else
      levels.Read(row, statistics.data(), wholes.data());
    for (size_t s = 0; s < scales.size(); ++s) {
      const BlockStatistics& of = statistics[s * static_cast<size_t>(segment_) / static_cast<size_t>(layout.block)];
      scales[s] = of.scale * levels_.step;
      bases[s] = scales[s] * levels_.shift + of.offset;
    }
    products({wholes.data(), scales.data(), bases.data()}, inputs.view, y + row, stride);
  }
}

void PackedMatrix::Multiply(const PreparedInputs& inputs, int64_t begin, int64_t end, float* y, int64_t stride) const {
  MultiplyBy(&RowProducts, inputs, begin, end, y, stride);
}
void PackedMatrix::Multiply_ref(const PreparedInputs& inputs, int64_t begin, int64_t end, float* y,
                                int64_t stride) const {
  MultiplyBy(&RowProducts_ref, inputs, begin, end, y, stride);
}

}  // namespace ridgeline
