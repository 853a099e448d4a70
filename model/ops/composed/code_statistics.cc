// SPDX-License-Identifier: Apache-2.0
#include "model/ops/composed/code_statistics.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "model/ops/composed/code_bits.h"
#include "model/ops/composed/exact_math.h"
#include "model/ops/composed/level_codes.h"
#include "quant/autograd/torch_pch.h"
#include "quant/codes/code_book.h"

namespace ridgeline {
namespace {

constexpr double kNanStatistic = std::numeric_limits<double>::quiet_NaN();
constexpr int kNanHalf = 0x7E00, kNanPowerOfTwo = 0xFF, kOne = 127, kNanE4m3 = 0x7F;
constexpr int kMostSteps = 127, kNanSteps = -128;

// (rows, n) of any dtype -> kByte (rows, n bytes of each)
at::Tensor AsBytes(const at::Tensor& x) { return x.contiguous().view(at::kByte); }
// And back: bytes may begin anywhere.
at::Tensor FromBytes(const at::Tensor& bytes, at::ScalarType type) {
  return bytes.clone(at::MemoryFormat::Contiguous).view(type);
}

// Float16 that numbers are exactly, or NaN, which has one form.
at::Tensor Halves(const at::Tensor& x) {
  return x.to(at::kHalf).view(at::kShort).masked_fill(x.ne(x), kNanHalf).view(at::kHalf);
}

at::Tensor PowerOfTwoBytes(const at::Tensor& scale) {
  const at::Tensor exponent = at::bitwise_right_shift(scale.view(at::kInt), 23);
  return exponent.masked_fill(scale.gt(0).bitwise_not(), kOne)
      .masked_fill(scale.ne(scale), kNanPowerOfTwo)
      .to(at::kByte);
}

at::Tensor PowersOfTwo(const at::Tensor& bytes) {
  constexpr int kSmallest = 0x00400000;  // 2^-127
  const at::Tensor exponent = at::bitwise_left_shift(bytes.to(at::kInt), 23);
  return exponent.masked_fill(bytes.eq(0), kSmallest)
      .view(at::kFloat)
      .masked_fill(bytes.eq(kNanPowerOfTwo), kNanStatistic);
}

at::Tensor E4m3Bytes(const at::Tensor& scale, const at::Tensor& tensor_scale) {
  const at::Tensor share = (scale / tensor_scale).masked_fill(scale.gt(0).bitwise_not(), 0).clamp_max(kE4M3.largest);
  return ElementCodes(RoundedToElement(kE4M3, share), kE4M3).masked_fill(scale.ne(scale), kNanE4m3);
}

at::Tensor E4m3Numbers(const at::Tensor& bytes) {
  static const CodeBook& book =
      *new CodeBook(*CodeBookOf({.estimator = "ste", .format = Format::kFp8E4M3, .scheme = Scheme::kLinear}));
  return LookedUp(book.levels(), bytes.to(at::kLong));
}

// Numbers of rows as multiples of a step, which is a float16 of the row.
struct InSteps {
  at::Tensor counts, step;  // kChar (rows, n), kHalf (rows, 1)
};

InSteps StepsOf(const at::Tensor& numbers) {
  const at::Tensor is_nan = numbers.ne(numbers);
  const at::Tensor largest = SizesOf(numbers.masked_fill(is_nan, 0)).amax({1}, /*keepdim=*/true);
  const at::Tensor wanted = Divided(largest, kMostSteps).clamp_max(kFloat16.largest), nearest = wanted.to(at::kHalf);
  const at::Tensor is_below = nearest.to(at::kFloat).lt(wanted).to(at::kShort);  // Of what is not negative.
  const at::Tensor half = (nearest.view(at::kShort) + is_below).view(at::kHalf), step = half.to(at::kFloat);
  const at::Tensor steps = (numbers / step).round().clamp(-kMostSteps, kMostSteps);
  const at::Tensor counts = steps.masked_fill(step.gt(0).bitwise_not(), 0).masked_fill(is_nan, kNanSteps);
  return {counts.to(at::kChar), half};
}

at::Tensor NumbersOfSteps(const at::Tensor& bytes, const at::Tensor& step) {
  const at::Tensor counts = bytes.view(at::kChar).to(at::kFloat);
  return RoundedToFloat16(counts * step.to(at::kFloat)).masked_fill(counts.eq(kNanSteps), kNanStatistic);
}

void StoreInSteps(const CodeStatistics& statistics, double factor, StatisticsBytes* bytes) {
  const InSteps scales = StepsOf(statistics.scale * factor);
  bytes->scales = AsBytes(scales.counts);
  bytes->steps = AsBytes(scales.step);
  if (!statistics.offset.defined()) return;
  const InSteps offsets = StepsOf(statistics.offset);
  bytes->offsets = AsBytes(offsets.counts);
  bytes->steps = at::cat({bytes->steps, AsBytes(offsets.step)}, 1);
}

at::Tensor ScaleBytes(const at::Tensor& scale, const at::Tensor& tensor_scale, Format format) {
  switch (ScaleEncodingOf(format)) {
    case ScaleEncoding::kFloat16:
      return AsBytes(Halves(scale * StoredScaleFactor(format)));
    case ScaleEncoding::kPowerOfTwo:
      return PowerOfTwoBytes(scale);
    case ScaleEncoding::kE4m3:
      return E4m3Bytes(scale, tensor_scale);
  }
  __builtin_unreachable();
}

at::Tensor ScalesOfBytes(const at::Tensor& bytes, const at::Tensor& tensor_scale, Format format) {
  switch (ScaleEncodingOf(format)) {
    case ScaleEncoding::kFloat16:
      return FromBytes(bytes, at::kHalf).to(at::kFloat) * (1 / StoredScaleFactor(format));
    case ScaleEncoding::kPowerOfTwo:
      return PowersOfTwo(bytes);
    case ScaleEncoding::kE4m3:
      return E4m3Numbers(bytes) * tensor_scale;
  }
  __builtin_unreachable();
}

CodeStatistics StatisticsOfSteps(const StatisticsBytes& bytes, const PackedLayout& layout) {
  const at::Tensor steps = FromBytes(bytes.steps, at::kHalf);  // (rows, 1), or 2 with offsets
  const double factor = 1 / StoredScaleFactor(layout.spec.format);
  CodeStatistics statistics{.scale = NumbersOfSteps(bytes.scales, steps.narrow(1, 0, 1)) * factor};
  if (layout.has_offsets) statistics.offset = NumbersOfSteps(bytes.offsets, steps.narrow(1, 1, 1));
  return statistics;
}

}  // namespace

StatisticsBytes StoredStatistics(const CodeStatistics& statistics, const at::Tensor& tensor_scale,
                                 const PackedLayout& layout) {
  const Format format = layout.spec.format;
  StatisticsBytes bytes;
  if (layout.steps_of_row > 0) {
    StoreInSteps(statistics, StoredScaleFactor(format), &bytes);
    return bytes;
  }
  bytes.scales = ScaleBytes(statistics.scale, tensor_scale, format);
  if (layout.has_offsets) bytes.offsets = AsBytes(Halves(statistics.offset));
  return bytes;
}

CodeStatistics LoadedStatistics(const StatisticsBytes& bytes, const at::Tensor& tensor_scale,
                                const PackedLayout& layout) {
  CodeStatistics statistics;
  if (layout.steps_of_row > 0) {
    statistics = StatisticsOfSteps(bytes, layout);
  } else {
    statistics.scale = ScalesOfBytes(bytes.scales, tensor_scale, layout.spec.format);
    if (layout.has_offsets) statistics.offset = FromBytes(bytes.offsets, at::kHalf).to(at::kFloat);
  }
  if (layout.selector_row_bytes == 0) return statistics;
  const at::Tensor selectors = UnpackedFields(bytes.selectors, layout.blocks_per_row, 2);
  const std::array<float, 4> extras = BitModExtras(layout.spec.format);
  statistics.extra = LookedUp(std::vector<float>(extras.begin(), extras.end()), selectors.to(at::kLong));
  return statistics;
}

at::Tensor TensorScaleOf(const at::Tensor& largest, Format format) {
  const float levels = static_cast<float>(kE4M3.largest) * static_cast<float>(LargestElement(format));
  return Divided(largest, levels).masked_fill(largest.gt(0).bitwise_not(), 1);
}

}  // namespace ridgeline
