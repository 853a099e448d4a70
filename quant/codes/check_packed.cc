// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "fmt/format.h"
#include "quant/codes/bits.h"
#include "quant/codes/packed_tensor.h"

namespace ridgeline {
namespace {

absl::Status CheckSize(const char* part, std::span<const uint8_t> bytes, int64_t wanted) {
  if (static_cast<int64_t>(bytes.size()) == wanted) return absl::OkStatus();
  return absl::DataLossError(fmt::format("{} have {} bytes where the layout has {}", part, bytes.size(), wanted));
}

absl::Status CheckTrits(const PackedView& packed) {
  const auto found =
      std::find_if(packed.codes.begin(), packed.codes.end(), [](uint8_t byte) { return byte > kLargestTritByte; });
  if (found == packed.codes.end()) return absl::OkStatus();
  return absl::DataLossError(fmt::format("codes of row {}: a byte is {}, and five ternary numbers are at most {}",
                                         (found - packed.codes.begin()) / packed.layout.code_row_bytes, *found,
                                         kLargestTritByte));
}

absl::Status CheckMasks(const PackedView& packed) {
  const PackedLayout& layout = packed.layout;
  const auto [n, m] = layout.spec.sparsity;
  const uint64_t choices = Choices(m, n);
  for (int64_t row = 0; row < layout.rows; ++row) {
    BitReader reader(packed.masks.data() + row * layout.mask_row_bytes, layout.mask_row_bytes);
    for (int64_t group = 0; group < layout.groups_per_row(); ++group)
      if (const uint64_t rank = reader.Read(layout.mask_bits); rank >= choices)
        return absl::DataLossError(
            fmt::format("masks of row {}: group {} is {}, and {}:{} has {} masks", row, group, rank, n, m, choices));
  }
  return absl::OkStatus();
}

absl::Status CheckPatterns(const PackedView& packed) {
  const PackedLayout& layout = packed.layout;
  for (int64_t row = 0; row < layout.rows; ++row) {
    BitReader reader(packed.codes.data() + row * layout.code_row_bytes, layout.code_row_bytes);
    for (int64_t begin = 0; begin < layout.groups_per_row(); begin += layout.word.digits) {
      const int digits = layout.DigitsAt(begin);
      uint64_t word = reader.Read(layout.BitsAt(begin));
      for (int digit = 0; digit < digits; ++digit) word /= layout.word.radix;
      if (word > 0)
        return absl::DataLossError(
            fmt::format("codes of row {}: a word of {} groups is beyond the {} patterns of {}:{}", row, digits,
                        layout.word.radix, layout.spec.sparsity.n, layout.spec.sparsity.m));
    }
  }
  return absl::OkStatus();
}

// A step is a size: finite, and not below 0.
absl::Status CheckSteps(const PackedView& packed) {
  constexpr int kExponent = 0x7C00, kSign = 0x8000;
  for (size_t i = 0; i + 1 < packed.steps.size(); i += 2) {
    const int half = packed.steps[i] | packed.steps[i + 1] << 8;
    if ((half & kExponent) == kExponent || (half & kSign) != 0)
      return absl::DataLossError(fmt::format("steps of row {}: one is negative or not finite",
                                             static_cast<int64_t>(i) / 2 / packed.layout.steps_of_row));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckPacked(const PackedView& packed) {
  const PackedLayout& layout = packed.layout;
  for (const absl::Status& status :
       {CheckSize("codes", packed.codes, layout.code_bytes()), CheckSize("masks", packed.masks, layout.mask_bytes()),
        CheckSize("scales", packed.scales, layout.all_scale_bytes()),
        CheckSize("offsets", packed.offsets, layout.offset_bytes()),
        CheckSize("steps", packed.steps, layout.step_bytes()),
        CheckSize("selectors", packed.selectors, layout.selector_bytes())})
    if (!status.ok()) return status;
  if (absl::Status steps = CheckSteps(packed); !steps.ok()) return steps;
  switch (layout.storage) {
    case CodeStorage::kBits:
      return absl::OkStatus();
    case CodeStorage::kTrits:
      return CheckTrits(packed);
    case CodeStorage::kKept:
      return CheckMasks(packed);
    case CodeStorage::kPatterns:
      return CheckPatterns(packed);
  }
  return absl::OkStatus();
}

}  // namespace ridgeline
