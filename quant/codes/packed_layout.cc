// SPDX-License-Identifier: Apache-2.0
#include "quant/codes/packed_layout.h"

#include <algorithm>

#include "fmt/format.h"
#include "method/problems.h"
#include "method/resolved_spec.h"
#include "quant/codes/bits.h"
#include "quant/codes/code_book.h"

namespace ridgeline {
namespace {

constexpr int64_t kMostNumbers = int64_t{1} << 40;

// What decoding does not ask for is left as it is by default: two specs with one layout are equal in it.
QuantizerSpec DecodingSpec(const QuantizerSpec& spec) {
  QuantizerSpec decoding;
  decoding.estimator = spec.estimator;
  decoding.format = spec.format;
  decoding.scheme = spec.scheme;
  decoding.grid = spec.grid;
  decoding.grid_gradient = spec.grid_gradient;
  decoding.granularity = spec.granularity;
  decoding.block = spec.block;
  decoding.hadamard = spec.hadamard;
  decoding.hadamard_signs = spec.hadamard_signs;
  if (spec.sparsity.is_sparse()) decoding.sparsity = spec.sparsity;
  const bool has_steps = spec.scale_precision == ScalePrecision::kInt8;
  decoding.scale_precision = has_steps ? ScalePrecision::kInt8 : ScalePrecision::kFloat16;
  return decoding;
}

void SetPatterns(PatternKind kind, PackedLayout* layout) {
  layout->storage = CodeStorage::kPatterns;
  layout->pattern = {kind, layout->spec.sparsity};
  layout->word = RadixWordOf(layout->pattern.count());
  const int64_t words = layout->groups_per_row() / layout->word.digits;
  const auto rest = static_cast<int>(layout->groups_per_row() % layout->word.digits);
  layout->code_row_bytes = BytesOfBits(words * layout->word.bits + BitsOfDigits(layout->word.radix, rest));
}

void SetCodes(const CodeBook& book, PackedLayout* layout) {
  layout->code_bits = book.bits();
  if (layout->spec.sparsity.is_sparse()) {
    if (book.is_sign()) return SetPatterns(PatternKind::kSigns, layout);
    if (book.is_ternary()) return SetPatterns(PatternKind::kTernary, layout);
    layout->storage = CodeStorage::kKept;
    layout->mask_bits = BitsOfMask(layout->spec.sparsity);
    layout->mask_row_bytes = BytesOfBits(layout->groups_per_row() * layout->mask_bits);
    layout->code_row_bytes = BytesOfBits(layout->groups_per_row() * layout->spec.sparsity.n * layout->code_bits);
  } else if (book.is_ternary()) {
    layout->storage = CodeStorage::kTrits;
    layout->code_row_bytes = (layout->features + kTritsPerByte - 1) / kTritsPerByte;
  } else {
    layout->code_row_bytes = BytesOfBits(layout->features * layout->code_bits);
  }
}

void SetStatistics(PackedLayout* layout) {
  const QuantizerSpec& spec = layout->spec;
  const bool is_shared = spec.granularity != Granularity::kBlock;
  layout->block = is_shared ? layout->features : BlockLength(spec, layout->features);
  layout->blocks_per_row = (layout->features + layout->block - 1) / layout->block;
  layout->statistics_rows = spec.granularity == Granularity::kTensor ? 1 : layout->rows;
  layout->scale_bytes = HasPlainScale(spec.format) ? 2 : 1;
  layout->has_offsets = spec.scheme == Scheme::kAffine;
  if (spec.scale_precision == ScalePrecision::kInt8) {
    layout->scale_bytes = layout->offset_bytes_of_block = 1;
    layout->steps_of_row = layout->has_offsets ? 2 : 1;
  }
  if (IsBitMod(spec.format)) layout->selector_row_bytes = BytesOfBits(layout->blocks_per_row * 2);
  layout->has_tensor_scale = ScaleEncodingOf(spec.format) == ScaleEncoding::kE4m3;
}

}  // namespace

int PackedLayout::DigitsAt(int64_t group) const {
  return static_cast<int>(std::min<int64_t>(word.digits, groups_per_row() - group));
}

int PackedLayout::BitsAt(int64_t group) const {
  const int digits = DigitsAt(group);
  return digits == word.digits ? word.bits : BitsOfDigits(word.radix, digits);
}

absl::StatusOr<PackedLayout> PackedLayoutOf(const QuantizerSpec& spec, int64_t rows, int64_t features) {
  const absl::StatusOr<CodeBook> book = CodeBookOf(spec);
  if (!book.ok()) return book.status();
  if (rows <= 0 || features <= 0 || features > kMostNumbers / rows)
    return absl::InvalidArgumentError(
        fmt::format("a matrix of {} rows of {} numbers cannot be packed", rows, features));
  if (absl::Status fits = ValidateFeatures(spec, features); !fits.ok()) return fits;
  PackedLayout layout{.spec = DecodingSpec(spec), .rows = rows, .features = features};
  SetStatistics(&layout);
  SetCodes(*book, &layout);
  return layout;
}

}  // namespace ridgeline
