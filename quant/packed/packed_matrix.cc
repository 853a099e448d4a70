// SPDX-License-Identifier: Apache-2.0
#include "quant/packed/packed_matrix.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "fmt/format.h"
#include "method/hadamard_sign.h"
#include "method/resolved_spec.h"
#include "quant/codes/row_levels.h"
#include "quant/codes/statistics_bytes.h"
#include "quant/kernels/estimator.h"
#include "quant/kernels/hadamard.h"
#include "quant/kernels/kernel_matrix.h"

namespace ridgeline {
namespace {

// Without a shift; with one there is a -128, too.
constexpr int kLargestWeight = 127, kLargestInput = std::numeric_limits<int16_t>::max();

// None for inputs without codes, such as those whose estimator is for inputs alone.
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
std::vector<float> SumsOf(const std::vector<float>& x, const PackedInputs& inputs) {
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
  const int64_t block = InputBlock();
  const int64_t smaller = std::min(block, packed_.layout.block), larger = std::max(block, packed_.layout.block);
  const std::optional<IntegerLevels> levels = LevelsOfInputs(inputs_);
  if (inputs_.learns_scale() || !rotates_alike || larger % smaller != 0 || !levels) return;
  constexpr int64_t kMostProducts = std::numeric_limits<int32_t>::max() / (kLargestWeight + 1);
  if (smaller > kMostProducts / LargestWhole(inputs_, *levels)) return;
  segment_ = smaller;
  input_levels_ = levels;
}

int64_t PackedMatrix::InputBlock() const {
  return inputs_.granularity == Granularity::kBlock ? BlockLength(inputs_, features()) : features();
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
  const int64_t block = InputBlock();
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
    prepared.sums = SumsOf(prepared.numbers, prepared.view);
  }
  prepared.view.sums = prepared.sums.data();
  return prepared;
}

// Rows of the matrix as their products need them, one after the other.
class PackedMatrix::RowReader {
 public:
  // Of weights, sums are made where inputs have bases.
  RowReader(const PackedMatrix& matrix, const PackedInputs& inputs)
      : matrix_(matrix),
        view_(matrix.packed_.view()),
        levels_(
            view_,
            [&](float level) { return static_cast<int8_t>(std::isnan(level) ? 0 : matrix.levels_.WholeOf(level)); }),
        wholes_(static_cast<size_t>(view_.layout.features + kRoomBeyondWholes)),
        statistics_(static_cast<size_t>(view_.layout.blocks_per_row)),
        block_scales_(statistics_.size()),
        block_bases_(statistics_.size()),
        scales_(static_cast<size_t>(inputs.segments())),
        bases_(scales_.size()),
        sums_(inputs.bases == nullptr ? 0 : scales_.size()) {
    const PackedLayout& layout = view_.layout;
    has_halves_ = layout.scale_bytes == 2 && layout.selector_row_bytes == 0;
    way_ = WayOf(layout);
    if (way_ == Way::kTable) std::copy(levels_.level_of_code().begin(), levels_.level_of_code().end(), table_);
  }

  PackedRow Read(int64_t row) {
    ReadStatistics(row);
    const PackedLayout& layout = view_.layout;
    const int8_t* wholes = ReadWholes(row);
    if (!sums_.empty()) SegmentSums(wholes, layout.features, matrix_.segment_, sums_.data());
    if (matrix_.segment_ == layout.block) return {wholes, block_scales_.data(), block_bases_.data(), sums_.data()};
    for (size_t s = 0; s < scales_.size(); ++s) {
      const size_t block = s * static_cast<size_t>(matrix_.segment_) / static_cast<size_t>(layout.block);
      scales_[s] = block_scales_[block];
      bases_[s] = block_bases_[block];
    }
    return {wholes, scales_.data(), bases_.data(), sums_.data()};
  }

 private:
  // How codes become whole numbers: by a table of 16, as bytes that are them already or have their first bit turned
  // round, five in a byte, or one by one.
  enum class Way { kTable, kBytes, kFlippedBytes, kTernary, kAny };

  Way WayOf(const PackedLayout& layout) const {
    const std::vector<int8_t>& levels = levels_.level_of_code();
    if (layout.selector_row_bytes > 0) return Way::kAny;
    if (layout.storage == CodeStorage::kTrits) return Way::kTernary;
    if (layout.storage != CodeStorage::kBits) return Way::kAny;
    if (layout.code_bits <= 4 && layout.code_bits != 3) return Way::kTable;
    const auto is = [&](int flip) {
      for (size_t code = 0; code < levels.size(); ++code) {
        const bool is_unused = code == 128 && levels[code] == 0;  // MX integers do without -128.
        if (!is_unused && levels[code] != static_cast<int8_t>(code ^ static_cast<size_t>(flip))) return false;
      }
      return levels.size() == 256;
    };
    return is(0) ? Way::kBytes : is(0x80) ? Way::kFlippedBytes : Way::kAny;
  }

  const int8_t* ReadWholes(int64_t row) {
    const PackedLayout& layout = view_.layout;
    const uint8_t* bytes = view_.codes.data() + row * layout.code_row_bytes;
    switch (way_) {
      case Way::kBytes:
        return reinterpret_cast<const int8_t*>(bytes);
      case Way::kTable:
        UnpackWholes(bytes, layout.features, layout.code_bits, table_, wholes_.data());
        break;
      case Way::kFlippedBytes:
        FlipBytes(bytes, layout.features, wholes_.data());
        break;
      case Way::kTernary:
        UnpackTernary(bytes, layout.features, wholes_.data());
        break;
      case Way::kAny:
        levels_.Read(row, statistics_.data(), wholes_.data());
    }
    return wholes_.data();
  }

  void ReadStatistics(int64_t row) {
    const PackedLayout& layout = view_.layout;
    const int64_t first = layout.FirstBlock(row), blocks = layout.blocks_per_row;
    const IntegerLevels& levels = matrix_.levels_;
    if (has_halves_) {
      const auto factor = static_cast<float>(levels.step / StoredScaleFactor(layout.spec.format));
      ReadHalves(view_.scales.data() + 2 * first, blocks, factor, block_scales_.data());
      if (layout.has_offsets) ReadHalves(view_.offsets.data() + 2 * first, blocks, 1, block_bases_.data());
    } else {
      for (int64_t block = 0; block < blocks; ++block) {
        const auto b = static_cast<size_t>(block);
        statistics_[b] = LoadStatistics(view_, first + block);
        block_scales_[b] = statistics_[b].scale * levels.step;
        block_bases_[b] = statistics_[b].offset;
      }
    }
    if (levels.shift == 0) return;
    const bool has_read = !has_halves_ || layout.has_offsets;
    for (size_t b = 0; b < block_bases_.size(); ++b)
      block_bases_[b] = (has_read ? block_bases_[b] : 0) + block_scales_[b] * levels.shift;
  }

  const PackedMatrix& matrix_;
  const PackedView view_;
  RowLevels<int8_t> levels_;
  std::vector<int8_t> wholes_;
  std::vector<BlockStatistics> statistics_;
  std::vector<float> block_scales_, block_bases_;  // By block, and where segments are shorter
  std::vector<float> scales_, bases_, sums_;       // by segment.
  bool has_halves_ = false;                        // Scales are float16, and nothing is selected.
  Way way_ = Way::kAny;
  int8_t table_[16] = {};
};

void PackedMatrix::MultiplyBy(Products products, const PreparedInputs& inputs, int64_t begin, int64_t end, float* y,
                              int64_t stride) const {
  RowReader reader(*this, inputs.view);
  for (int64_t row = begin; row < end; ++row) products(reader.Read(row), inputs.view, y + row, stride);
}

void PackedMatrix::Multiply(const PreparedInputs& inputs, int64_t begin, int64_t end, float* y, int64_t stride) const {
  MultiplyBy(&RowProducts, inputs, begin, end, y, stride);
}
void PackedMatrix::Multiply_ref(const PreparedInputs& inputs, int64_t begin, int64_t end, float* y,
                                int64_t stride) const {
  MultiplyBy(&RowProducts_ref, inputs, begin, end, y, stride);
}

}  // namespace ridgeline
