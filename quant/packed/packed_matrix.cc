// SPDX-License-Identifier: Apache-2.0
#include "quant/packed/packed_matrix.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "fmt/format.h"
#include "method/resolved_spec.h"
#include "quant/codes/row_levels.h"
#include "quant/packed/row_products.h"
#include "quant/packed/row_reader.h"

namespace ridgeline {
namespace {

// Without a shift; with one there is a -128, too.
constexpr int kLargestWeight = 127, kLargestByte = 127, kLargestInput = std::numeric_limits<int16_t>::max();
constexpr int kLargestWithoutSign = 255;  // Weights that are raised, and codes as they lie.

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
  const auto add = [&](float level) { largest = std::max<int64_t>(largest, std::abs(levels.WholeOf(level))); };
  for (float level : book.levels())
    if (!std::isnan(level)) add(level);
  for (size_t i = 0; IsBitMod(spec.format) && i < 4; ++i) add(BitModExtras(spec.format)[i]);
  return largest;
}

std::optional<SignLevels> SignsOf(const QuantizerSpec& spec) {
  const absl::StatusOr<CodeBook> book = CodeBookOf(spec);
  if (!book.ok() || spec.sparsity.is_sparse()) return std::nullopt;
  return SignLevelsOf(*book, spec.format);
}

// Of inputs that are rounded to 16 bits: so many that products with bytes fit in 31 bits, and which divides a block.
int64_t SegmentOfRounded(const PackedLayout& layout) {
  constexpr int64_t kLongest = 256, kOfRows = 128;
  if (layout.block <= kLongest) return layout.block;
  if (layout.block >= layout.features) return kOfRows;
  int64_t segment = kLongest;
  while (layout.block % segment != 0) --segment;
  return segment;
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
  if (inputs.quantizes()) matrix.ChooseInputs();
  if (matrix.quantizes_inputs())
    matrix.ChooseSigns();
  else
    matrix.segment_ = SegmentOfRounded(matrix.packed_.layout);
  matrix.ChooseWay();
  return matrix;
}

int8_t PackedMatrix::WholeOf(float level) const {
  return static_cast<int8_t>(std::isnan(level) ? 0 : levels_.WholeOf(level));
}

void PackedMatrix::ChooseInputs() {
  const QuantizerSpec& weights = packed_.layout.spec;
  const bool rotates_alike = inputs_.hadamard == weights.hadamard && inputs_.hadamard_signs == weights.hadamard_signs &&
                             (!inputs_.hadamard || inputs_.block == weights.block);
  const int64_t block = InputBlock();
  const int64_t smaller = std::min(block, packed_.layout.block), larger = std::max(block, packed_.layout.block);
  const std::optional<IntegerLevels> levels = LevelsOfInputs(inputs_);
  if (inputs_.learns_scale() || !rotates_alike || larger % smaller != 0 || !levels) return;
  constexpr int64_t kMostProducts = std::numeric_limits<int32_t>::max() / kLargestWithoutSign;
  if (smaller > kMostProducts / LargestWhole(inputs_, *levels)) return;
  segment_ = smaller;
  input_levels_ = levels;
}

void PackedMatrix::ChooseSigns() {
  constexpr int kMostPairs = 2;  // Of planes: with more, products of bytes are as fast.
  constexpr int64_t kWord = 32;
  const std::optional<SignLevels> weights = SignsOf(packed_.layout.spec), inputs = SignsOf(inputs_);
  const bool has_bits = packed_.layout.storage == CodeStorage::kBits && packed_.layout.selector_row_bytes == 0;
  if (!weights || !inputs || !has_bits || weights->planes * inputs->planes > kMostPairs) return;
  if (features() % kWord != 0 || segment_ % kWord != 0) return;
  levels_ = weights->levels;
  input_levels_ = inputs->levels;
  weight_planes_ = weights->planes;
  input_planes_ = inputs->planes;
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
  if (IsBitMod(view.layout.spec.format)) return;  // Whose own levels are others.
  ChooseBytes(wholes);
  ChooseCodes(wholes);
}

void PackedMatrix::ChooseBytes(const std::vector<int8_t>& whole_of_code) {
  const auto [low, high] = std::minmax_element(whole_of_code.begin(), whole_of_code.end());
  least_ = -std::min<int>(0, *low);  // 0 is a level where numbers are pruned.
  const int64_t range = least_ + std::max<int>(0, *high);
  if (!quantizes_inputs() || segment_ % 4 != 0) return;
  const int64_t largest = LargestWhole(inputs_, *input_levels_);
  if (largest <= kLargestByte + 1)
    additions_ = std::numeric_limits<int16_t>::max() / std::max<int64_t>(1, 2 * range * largest);
}

void PackedMatrix::ChooseCodes(const std::vector<int8_t>& whole_of_code) {
  const PackedLayout& layout = packed_.layout;
  constexpr int64_t kByteVector = 32, kCodeBits = 8 * 16;  // Of which segments have a multiple.
  if (way_ == Way::kPatterns) {
    constexpr int kMostBits = 8;  // Of tables that lie in the innermost caches.
    const int64_t at_once = kPairsAtOnce * patterns_->pair();
    const bool has_fields = patterns_->pair_bits() > 0 && patterns_->pair_bits() <= kMostBits;
    if (has_fields && segment_ % at_once == 0 && layout.features % at_once == 0)
      codes_ = {patterns_->pair_bits(), false, patterns_->pair()};
  } else if (way_ == Way::kBytes || way_ == Way::kFlippedBytes) {
    if (segment_ % kByteVector != 0) return;
    linear_ = way_ == Way::kBytes ? LinearCodes{1, 0} : LinearCodes{1, -128};
    codes_ = {8, way_ == Way::kBytes};
  } else if (way_ == Way::kTable && segment_ * layout.code_bits % kCodeBits == 0) {
    linear_ = LinearCodesOf(whole_of_code);
    if (linear_) codes_ = {layout.code_bits, false};
  }
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

namespace {

using Products = void (*)(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride);

Products ProductsOf(const PackedInputs& inputs) {
  if (inputs.are_in_lanes) return &LaneProducts;
  if (inputs.form == Form::kNibbles) return &NibbleProducts;
  if (inputs.form == Form::kGroups) return &GroupProducts;
  return inputs.form == Form::kWholes ? &RowProducts : &CodeProducts;
}

void MultiplyBy(Products products, const PackedInputs& inputs, RowReader* reader, int64_t begin, int64_t end, float* y,
                int64_t stride) {
  for (int64_t row = begin; row < end; row += kRowsAtOnce)
    products(reader->Read(row, std::min(row + kRowsAtOnce, end)), inputs, y + row, stride);
}

}  // namespace

void PackedMatrix::Multiply(const PreparedInputs& inputs, int64_t begin, int64_t end, float* y, int64_t stride) const {
  RowReader reader(*this, inputs.view, inputs.view.form, kRowsAtOnce);
  MultiplyBy(ProductsOf(inputs.view), inputs.view, &reader, begin, end, y, stride);
}
void PackedMatrix::Multiply_ref(const PreparedInputs& inputs, int64_t begin, int64_t end, float* y,
                                int64_t stride) const {
  RowReader reader(*this, inputs.view, Form::kWholes, kRowsAtOnce);
  MultiplyBy(&RowProducts_ref, inputs.view, &reader, begin, end, y, stride);
}

}  // namespace ridgeline
