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
#include "quant/packed/unpack.h"

namespace ridgeline {
namespace {

// Without a shift; with one there is a -128, too.
constexpr int kLargestWeight = 127, kLargestByte = 127, kLargestInput = std::numeric_limits<int16_t>::max();

// None for inputs without codes, such as those whose estimator is for inputs alone.
std::optional<IntegerLevels> LevelsOfInputs(const QuantizerSpec& spec) {
  const absl::StatusOr<CodeBook> book = CodeBookOf(spec);
  if (!book.ok()) return std::nullopt;
  const bool has_zeros = spec.sparsity.is_sparse();
  const std::optional<IntegerLevels> bytes = IntegerLevelsOf(*book, spec.format, kLargestByte, has_zeros);
  return bytes ? bytes : IntegerLevelsOf(*book, spec.format, kLargestInput, has_zeros);
}

// REQUIRES: the spec has a book.
int64_t LargestWhole(const QuantizerSpec& spec, const IntegerLevels& levels) {
  const CodeBook book = *CodeBookOf(spec);
  int64_t largest = 1;
  for (float level : book.levels())
    if (!std::isnan(level)) largest = std::max<int64_t>(largest, std::abs(levels.WholeOf(level)));
  return largest;
}

// So many inputs are worth products of bytes: those may need sums of weights, which fewer do not outweigh.
constexpr int64_t kManyInputs = 4;

// The same levels without a shift, where a half of the step divides that.
IntegerLevels UnshiftedOf(const IntegerLevels& levels) {
  const float twice = 2 * levels.shift;
  if (levels.shift == 0 || twice != std::rint(twice)) return levels;
  return {levels.step / 2, 0};
}

// Sums of each segment of each row of x, (segments, count).
std::vector<float> SumsOf(const std::vector<float>& x, const PackedInputs& inputs) {
  std::vector<float> sums;
  for (int64_t begin = 0; begin < inputs.features; begin += inputs.segment)
    for (int64_t c = 0; c < inputs.count; ++c) {
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
  matrix.ChooseWay();
  if (inputs.quantizes()) matrix.QuantizeInputs();
  return matrix;
}

int8_t PackedMatrix::WholeOf(float level) const {
  return static_cast<int8_t>(std::isnan(level) ? 0 : levels_.WholeOf(level));
}

void PackedMatrix::ChooseWay() {
  const PackedView view = packed_.view();
  const std::vector<int8_t> wholes =
      RowLevels<int8_t>(view, [&](float level) { return WholeOf(level); }).level_of_code();
  way_ = WayOf(wholes);
  if (way_ == Way::kTable) std::copy(wholes.begin(), wholes.end(), table_.begin());
  if (way_ == Way::kPatterns) {
    patterns_ = PatternRows::Create(view.layout, wholes.front(), wholes.back());
    if (!patterns_) way_ = Way::kAny;
  }
  const QuantizerSpec& spec = view.layout.spec;
  if (IsBitMod(spec.format)) return;  // Whose own levels are others.
  const auto [low, high] = std::minmax_element(wholes.begin(), wholes.end());
  least_ = -std::min<int>(0, *low);  // 0 is a level where numbers are pruned.
  range_ = least_ + std::max<int>(0, *high);
}

PackedMatrix::Way PackedMatrix::WayOf(const std::vector<int8_t>& whole_of_code) const {
  const PackedLayout& layout = packed_.layout;
  if (layout.selector_row_bytes > 0) return Way::kAny;
  if (layout.storage == CodeStorage::kTrits) return Way::kTernary;
  if (layout.storage == CodeStorage::kPatterns) return Way::kPatterns;
  if (layout.storage != CodeStorage::kBits) return Way::kAny;
  if (layout.code_bits <= 4 && layout.code_bits != 3) return Way::kTable;
  const auto is = [&](int flip) {
    for (size_t code = 0; code < whole_of_code.size(); ++code) {
      const bool is_unused = code == 128 && whole_of_code[code] == 0;  // MX integers do without -128.
      if (!is_unused && whole_of_code[code] != static_cast<int8_t>(code ^ static_cast<size_t>(flip))) return false;
    }
    return whole_of_code.size() == 256;
  };
  return is(0) ? Way::kBytes : is(0x80) ? Way::kFlippedBytes : Way::kAny;
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
  constexpr int64_t kVector = 64;  // The longest: shorter segments would be added number by number.
  const int64_t largest = LargestWhole(inputs_, *levels);
  if (largest <= kLargestByte + 1 && segment_ % kVector == 0)
    byte_additions_ = std::numeric_limits<int16_t>::max() / std::max<int64_t>(1, 2 * range_ * largest);
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
  // A few inputs without a shift do without sums of weights. A long segment's products could be too large for that.
  constexpr int64_t kLongestUnshifted = int64_t{1} << 14;
  const bool has_shift = count >= kManyInputs || segment_ > kLongestUnshifted;
  const IntegerLevels integers = has_shift ? *input_levels_ : UnshiftedOf(*input_levels_);
  prepared->wholes.resize(x.size());
  const float inverse = 1 / integers.step;
  for (size_t i = 0; i < x.size(); ++i)
    prepared->wholes[i] = static_cast<int16_t>(std::lrint(levels[i] * inverse - integers.shift));
  const bool is_one = inputs_.granularity == Granularity::kTensor;
  const int64_t block = InputBlock();
  for (int64_t begin = 0; begin < features(); begin += segment_)
    for (int64_t c = 0; c < count; ++c) {
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

void PackedMatrix::NarrowInputs(PreparedInputs* prepared) const {
  prepared->bytes.assign(prepared->wholes.begin(), prepared->wholes.end());
  for (int64_t begin = 0; begin < features(); begin += segment_)
    for (int64_t c = 0; c < prepared->view.count; ++c) {
      const int8_t* first = prepared->bytes.data() + c * features() + begin;
      prepared->byte_sums.push_back(std::accumulate(first, first + std::min(segment_, features() - begin), 0));
    }
  prepared->view.bytes = {prepared->bytes.data(), prepared->byte_sums.data(), least_, byte_additions_};
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
    if (byte_additions_ > 0 && count >= kManyInputs) NarrowInputs(&prepared);
  } else {
    RotateInputs(x, &prepared);
    prepared.view.numbers = prepared.numbers.data();
    prepared.sums = SumsOf(prepared.numbers, prepared.view);
  }
  prepared.view.sums = prepared.sums.data();
  return prepared;
}

// Rows of the matrix as their products need them, a few at once.
class PackedMatrix::RowReader {
 public:
  // Of weights, sums are made where inputs have bases.
  RowReader(const PackedMatrix& matrix, const PackedInputs& inputs, int64_t rows)
      : matrix_(matrix), view_(matrix.packed_.view()), has_sums_(inputs.bases != nullptr) {
    const PackedLayout& layout = view_.layout;
    if (matrix.way_ == Way::kAny) levels_.emplace(view_, [&](float level) { return matrix.WholeOf(level); });
    has_halves_ = layout.scale_bytes == 2 && layout.selector_row_bytes == 0;
    const auto blocks = static_cast<size_t>(layout.blocks_per_row), segments = static_cast<size_t>(inputs.segments());
    statistics_.resize(blocks);
    for (int64_t row = 0; row < rows; ++row) {
      Buffers& buffers = buffers_.emplace_back();
      buffers.wholes.resize(static_cast<size_t>(layout.features + kRoomBeyondWholes));
      buffers.block_scales.resize(blocks);
      buffers.block_bases.resize(blocks);
      if (matrix.segment_ != layout.block) buffers.scales.resize(segments), buffers.bases.resize(segments);
      if (has_sums_) buffers.sums.resize(segments);
    }
    rows_.resize(static_cast<size_t>(rows));
  }

  // Rows begin .. end - 1. REQUIRES: no more than `rows`.
  std::span<const PackedRow> Read(int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const auto i = static_cast<size_t>(row - begin);
      rows_[i] = ReadRow(row, &buffers_[i]);
    }
    return std::span(rows_).first(static_cast<size_t>(end - begin));
  }

 private:
  struct Buffers {
    std::vector<int8_t> wholes;
    std::vector<float> block_scales, block_bases;  // By block, and where segments are shorter
    std::vector<float> scales, bases, sums;        // by segment.
  };

  PackedRow ReadRow(int64_t row, Buffers* to) {
    ReadStatistics(row, to);
    const PackedLayout& layout = view_.layout;
    const int8_t* wholes = ReadWholes(row, to->wholes.data());
    if (has_sums_) SegmentSums(wholes, layout.features, matrix_.segment_, to->sums.data());
    if (to->scales.empty()) return {wholes, to->block_scales.data(), to->block_bases.data(), to->sums.data()};
    for (size_t s = 0; s < to->scales.size(); ++s) {
      const size_t block = s * static_cast<size_t>(matrix_.segment_) / static_cast<size_t>(layout.block);
      to->scales[s] = to->block_scales[block];
      to->bases[s] = to->block_bases[block];
    }
    return {wholes, to->scales.data(), to->bases.data(), to->sums.data()};
  }

  const int8_t* ReadWholes(int64_t row, int8_t* wholes) {
    const PackedLayout& layout = view_.layout;
    const int64_t begin = row * layout.code_row_bytes;
    const uint8_t* bytes = view_.codes.data() + begin;
    switch (matrix_.way_) {
      case Way::kBytes:
        return reinterpret_cast<const int8_t*>(bytes);
      case Way::kTable:
        UnpackWholes(bytes, layout.features, layout.code_bits, matrix_.table_.data(), wholes);
        break;
      case Way::kFlippedBytes:
        FlipBytes(bytes, layout.features, wholes);
        break;
      case Way::kTernary:
        UnpackTernary(bytes, layout.features, wholes);
        break;
      case Way::kPatterns:
        matrix_.patterns_->Read(bytes, static_cast<int64_t>(view_.codes.size()) - begin, wholes);
        break;
      case Way::kAny:
        levels_->Read(row, statistics_.data(), wholes);
    }
    return wholes;
  }

  void ReadStatistics(int64_t row, Buffers* to) {
    const PackedLayout& layout = view_.layout;
    const int64_t first = layout.FirstBlock(row), blocks = layout.blocks_per_row;
    const IntegerLevels& levels = matrix_.levels_;
    float* scales = to->block_scales.data();
    float* bases = to->block_bases.data();
    if (has_halves_) {
      const auto factor = static_cast<float>(levels.step / StoredScaleFactor(layout.spec.format));
      ReadHalves(view_.scales.data() + 2 * first, blocks, factor, scales);
      if (layout.has_offsets) ReadHalves(view_.offsets.data() + 2 * first, blocks, 1, bases);
    } else {
      for (int64_t block = 0; block < blocks; ++block) {
        BlockStatistics& statistics = statistics_[static_cast<size_t>(block)];
        statistics = LoadStatistics(view_, first + block);
        scales[block] = statistics.scale * levels.step;
        bases[block] = statistics.offset;
      }
    }
    if (levels.shift == 0) return;
    const bool has_read = !has_halves_ || layout.has_offsets;
    for (int64_t b = 0; b < blocks; ++b) bases[b] = (has_read ? bases[b] : 0) + scales[b] * levels.shift;
  }

  const PackedMatrix& matrix_;
  const PackedView view_;
  const bool has_sums_;
  bool has_halves_ = false;                  // Scales are float16, and nothing is selected.
  std::optional<RowLevels<int8_t>> levels_;  // kAny
  std::vector<BlockStatistics> statistics_;  // Of the row that was read last.
  std::vector<Buffers> buffers_;
  std::vector<PackedRow> rows_;
};

void PackedMatrix::MultiplyBy(Products products, const PreparedInputs& inputs, int64_t begin, int64_t end, float* y,
                              int64_t stride) const {
  // One input is read from the innermost cache as it is, and a row's numbers are multiplied as they leave theirs.
  const int64_t at_once = std::min(end - begin, inputs.view.count == 1 ? int64_t{1} : kRowsAtOnce);
  if (at_once == 0) return;
  RowReader reader(*this, inputs.view, at_once);
  for (int64_t row = begin; row < end; row += at_once)
    products(reader.Read(row, std::min(row + at_once, end)), inputs.view, y + row, stride);
}

void PackedMatrix::Multiply(const PreparedInputs& inputs, int64_t begin, int64_t end, float* y, int64_t stride) const {
  MultiplyBy(&RowProducts, inputs, begin, end, y, stride);
}
void PackedMatrix::Multiply_ref(const PreparedInputs& inputs, int64_t begin, int64_t end, float* y,
                                int64_t stride) const {
  MultiplyBy(&RowProducts_ref, inputs, begin, end, y, stride);
}

}  // namespace ridgeline
