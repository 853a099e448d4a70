// SPDX-License-Identifier: Apache-2.0
// Inputs of products with a packed matrix: as whole numbers, in the order that a kernel reads them in.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "method/hadamard_sign.h"
#include "method/resolved_spec.h"
#include "quant/kernels/estimator.h"
#include "quant/kernels/hadamard.h"
#include "quant/kernels/kernel_matrix.h"
#include "quant/packed/packed_matrix.h"
#include "quant/packed/row_products.h"
#include "quant/packed/unpack.h"

namespace ridgeline {
namespace {

// So many inputs are worth lanes, of which a vector has at least 8: bytes of fewer are multiplied as the codes lie.
constexpr int64_t kManyInputs = 4, kManySigns = 8;
// The largest whole number whose two bytes have signs of their own.
constexpr int kLargestOfTwoBytes = 127 * 256 + 127;

constexpr int64_t RoundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// The same levels without a shift, where a half of the step divides that.
IntegerLevels UnshiftedOf(const IntegerLevels& levels) {
  const float twice = 2 * levels.shift;
  if (levels.shift == 0 || twice != std::rint(twice)) return levels;
  return {levels.step / 2, 0};
}

// Few inputs have a row of scales each, many a row for each segment.
void LayOutStatistics(bool is_few, PreparedInputs* prepared) {
  PackedInputs& view = prepared->view;
  view.segment_stride = is_few ? 1 : RoundUp(view.count, std::max(kLanes, kNibbleLanes));
  view.input_stride = is_few ? view.segments : 1;
  const auto size = static_cast<size_t>(is_few ? view.count * view.segments : view.segments * view.segment_stride);
  for (std::vector<float>* numbers : {&prepared->scales, &prepared->bases, &prepared->sums}) numbers->assign(size, 0);
  constexpr int64_t kVector = 32;
  view.wholes_stride = RoundUp(view.features, kVector);
  prepared->wholes.assign(static_cast<size_t>(view.count * view.wholes_stride), 0);
}

// A segment of input c: whole numbers with what belongs to them. `from` are levels, steps of scale / integers.step.
void RoundSegment(int64_t s, int64_t c, const float* from, const IntegerLevels& integers, float scale, float offset,
                  PreparedInputs* prepared) {
  const PackedInputs& view = prepared->view;
  const auto at = static_cast<size_t>(s * view.segment_stride + c * view.input_stride);
  const int64_t begin = s * view.segment, n = std::min(view.segment, view.features - begin);
  int16_t* wholes = prepared->wholes.data() + c * view.wholes_stride + begin;
  const auto sum = static_cast<float>(RoundToWholes(from, n, 1 / integers.step, integers.shift, wholes));
  const float base = scale * integers.shift + offset;
  prepared->scales[at] = scale;
  prepared->bases[at] = base;
  prepared->sums[at] = scale * sum + base * static_cast<float>(n);
}

void SetNotFinite(int64_t s, int64_t c, PreparedInputs* prepared) {
  const auto at = static_cast<size_t>(s * prepared->view.segment_stride + c * prepared->view.input_stride);
  prepared->scales[at] = prepared->sums[at] = std::numeric_limits<float>::quiet_NaN();
}

// Words of 32 bits, of as many numbers as fit.
template <typename Number>
void ArrangeInLanes(PreparedInputs* prepared) {
  constexpr int64_t kNumbers = 4 / sizeof(Number);
  PackedInputs& view = prepared->view;
  const int64_t words = RoundUp(view.features, kNumbers) / kNumbers;
  prepared->arranged.assign(static_cast<size_t>(RoundUp(view.count, kLanes) * words * 4), 0);
  for (int64_t c = 0; c < view.count; ++c) {
    const int16_t* wholes = prepared->wholes.data() + c * view.wholes_stride;
    uint8_t* lane = prepared->arranged.data() + (c / kLanes * words * kLanes + c % kLanes) * 4;
    for (int64_t k = 0; k < words; ++k, lane += kLanes * 4) {
      Number numbers[kNumbers];
      for (int64_t i = 0; i < kNumbers; ++i) numbers[i] = static_cast<Number>(wholes[kNumbers * k + i]);
      std::memcpy(lane, numbers, sizeof(numbers));
    }
  }
}

void ArrangeSigns(PreparedInputs* prepared) {
  PackedInputs& view = prepared->view;
  constexpr int64_t kWord = 4;  // Bytes.
  const int64_t words = view.features / 32, planes = view.input_planes, row_bytes = planes * words * kWord;
  const int64_t lanes = view.are_in_lanes ? kLanes : 1;
  std::vector<uint8_t> bits(static_cast<size_t>(row_bytes));
  prepared->arranged.assign(static_cast<size_t>(RoundUp(view.count, lanes) * row_bytes), 0);
  for (int64_t c = 0; c < view.count; ++c) {
    SplitSigns(prepared->wholes.data() + c * view.wholes_stride, view.features, view.input_planes, bits.data());
    uint8_t* lane = prepared->arranged.data() + (c / lanes * planes * words * lanes + c % lanes) * kWord;
    for (int64_t k = 0; k < planes * words; ++k) std::copy_n(bits.data() + k * kWord, kWord, lane + k * lanes * kWord);
  }
}

void ArrangeNibbles(PreparedInputs* prepared) {
  PackedInputs& view = prepared->view;
  const int64_t nibbles = view.features / 4, planes = view.input_planes, all = planes * nibbles;
  std::vector<uint8_t> bits(static_cast<size_t>(planes * view.features / 8));
  prepared->arranged.assign(static_cast<size_t>(RoundUp(view.count, kNibbleLanes) * all), 0);
  for (int64_t c = 0; c < view.count; ++c) {
    SplitSigns(prepared->wholes.data() + c * view.wholes_stride, view.features, view.input_planes, bits.data());
    uint8_t* lane = prepared->arranged.data() + c / kNibbleLanes * all * kNibbleLanes + c % kNibbleLanes;
    for (size_t byte = 0; byte < bits.size(); ++byte, lane += 2 * kNibbleLanes) {
      lane[0] = bits[byte] & 15;
      lane[kNibbleLanes] = bits[byte] >> 4;
    }
  }
}

// As shifts and masks bring codes out of vectors of 32 bytes.
void ArrangeForCodes(PreparedInputs* prepared) {
  PackedInputs& view = prepared->view;
  const auto [low, high] = std::minmax_element(prepared->wholes.begin(), prepared->wholes.end());
  view.input_bytes = *low < std::numeric_limits<int8_t>::min() || *high > std::numeric_limits<int8_t>::max() ? 2 : 1;
  const int64_t phases = 8 / view.codes.bits, inputs_of_vector = 32 * phases;
  const int64_t stride = RoundUp(view.features, inputs_of_vector);
  prepared->arranged.assign(static_cast<size_t>(view.count * view.input_bytes * stride), 0);
  for (int64_t c = 0; c < view.count; ++c) {
    const int16_t* wholes = prepared->wholes.data() + c * view.wholes_stride;
    uint8_t* low_bytes = prepared->arranged.data() + c * view.input_bytes * stride;
    for (int64_t i = 0; i < view.features; ++i) {
      const int64_t byte = i / phases, at = byte / 32 * inputs_of_vector + i % phases * 32 + byte % 32;
      const auto lower = static_cast<int8_t>(wholes[i]);
      low_bytes[at] = static_cast<uint8_t>(lower);
      if (view.input_bytes == 2) low_bytes[stride + at] = static_cast<uint8_t>((wholes[i] - lower) / 256);
    }
  }
}

template <typename Entry>
void NarrowTo(const std::vector<int32_t>& products, std::vector<uint8_t>* to) {
  std::vector<Entry> narrow(products.begin(), products.end());
  to->resize(narrow.size() * sizeof(Entry));
  std::memcpy(to->data(), narrow.data(), to->size());
}

void ArrangeForGroups(const PatternRows& patterns, PreparedInputs* prepared) {
  PackedInputs& view = prepared->view;
  const int64_t pairs = view.features / patterns.pair(), all = pairs << patterns.pair_bits();
  std::vector<int32_t> products(static_cast<size_t>(view.count * all));
  for (int64_t c = 0; c < view.count; ++c)
    patterns.PairProducts(prepared->wholes.data() + c * view.wholes_stride, pairs, products.data() + c * all);
  const auto [low, high] = std::minmax_element(products.begin(), products.end());
  using Narrow = std::numeric_limits<int16_t>;
  view.input_bytes = *low >= Narrow::min() && *high <= Narrow::max() ? 2 : 4;
  view.input_bytes == 2 ? NarrowTo<int16_t>(products, &prepared->arranged)
                        : NarrowTo<int32_t>(products, &prepared->arranged);
}

}  // namespace

bool PackedMatrix::IsFew(int64_t count) const { return count < (input_planes_ > 0 ? kManySigns : kManyInputs); }

int64_t PackedMatrix::InputBlock() const {
  return inputs_.granularity == Granularity::kBlock ? BlockLength(inputs_, features()) : features();
}

std::vector<float> PackedMatrix::Rotate(std::span<const float> x) const {
  const QuantizerSpec& spec = packed_.layout.spec;
  std::vector<float> rotated(x.begin(), x.end());
  if (!spec.hadamard) return rotated;
  for (size_t i = 0; spec.hadamard_signs && i < x.size(); ++i)
    if (HadamardSign(static_cast<int64_t>(i) % features()) < 0) rotated[i] = -x[i];
  for (size_t begin = 0; begin < x.size(); begin += static_cast<size_t>(spec.block))
    Hadamard(rotated.data() + begin, spec.block, rotated.data() + begin);
  return rotated;
}

void PackedMatrix::EncodeInputs(std::span<const float> x, PreparedInputs* prepared) const {
  const PackedInputs& view = prepared->view;
  KernelMatrix matrix = KernelMatrixOf(inputs_, view.count, features());
  if (ScaleEncodingOf(inputs_.format) == ScaleEncoding::kE4m3)
    matrix.spec.tensor_max = LargestOfMatrix(inputs_, x.data(), view.count, features());
  const int64_t blocks = BlockCount(matrix.spec, matrix.features);
  std::vector<float> levels(x.size());
  std::vector<BlockStatistics> statistics(static_cast<size_t>(matrix.rows * blocks));
  (*EstimatorFor(inputs_))
      ->Encode(matrix.spec, x.data(), matrix.rows, matrix.features, levels.data(), statistics.data());
  // A few inputs without a shift do without sums of weights. A long segment's products could be too large for that.
  constexpr int64_t kLongestUnshifted = int64_t{1} << 14;
  const bool has_shift = !IsFew(view.count) || segment_ > kLongestUnshifted || input_planes_ > 0;
  const IntegerLevels integers = has_shift ? *input_levels_ : UnshiftedOf(*input_levels_);
  const bool is_one = inputs_.granularity == Granularity::kTensor;
  const int64_t block = InputBlock();
  for (int64_t s = 0; s < view.segments; ++s)
    for (int64_t c = 0; c < view.count; ++c) {
      const BlockStatistics& of = statistics[static_cast<size_t>(is_one ? 0 : c * blocks + s * segment_ / block)];
      const float* from = levels.data() + c * features() + s * segment_;
      RoundSegment(s, c, from, integers, of.scale * integers.step, of.offset, prepared);
    }
}

// A segment that is not finite has a scale that is not, and whole numbers that are 0.
void PackedMatrix::RoundInputs(const std::vector<float>& x, PreparedInputs* prepared) const {
  const PackedInputs& view = prepared->view;
  for (int64_t s = 0; s < view.segments; ++s)
    for (int64_t c = 0; c < view.count; ++c) {
      const int64_t begin = s * segment_, n = std::min(segment_, features() - begin);
      const float* from = x.data() + c * features() + begin;
      float largest = 0, zero = 0;
#pragma omp simd reduction(max : largest) reduction(+ : zero)
      for (int64_t i = 0; i < n; ++i) {
        largest = std::max(largest, std::abs(from[i]));
        zero += from[i] * 0;
      }
      const float step = largest / kLargestOfTwoBytes;
      if (zero != 0) {
        SetNotFinite(s, c, prepared);
      } else if (std::isinf(1 / step)) {  // What is that small counts for nothing.
        RoundSegment(s, c, std::vector<float>(static_cast<size_t>(n)).data(), {}, 0, 0, prepared);
      } else {
        RoundSegment(s, c, from, {step, 0}, step, 0, prepared);
      }
    }
}

Form PackedMatrix::FormFor(const PreparedInputs& prepared) const {
  const PackedInputs& view = prepared.view;
  if (input_planes_ > 0) return !IsFew(view.count) && UsesNibbles() ? Form::kNibbles : Form::kSigns;
  if (!IsFew(view.count)) {
    if (additions_ > 0) return Form::kRaised;
    return segment_ % 2 == 0 ? Form::kPairs : Form::kWholes;
  }
  if (view.bases != nullptr || codes_.bits == 0) return Form::kWholes;
  if (!linear_) return Form::kGroups;
  const auto [low, high] = std::minmax_element(prepared.wholes.begin(), prepared.wholes.end());
  return std::max<int>(-*low, *high) <= kLargestOfTwoBytes ? Form::kCodes : Form::kWholes;
}

// The view of what is there, and inputs in its form's order.
void PackedMatrix::Finish(PreparedInputs* prepared) const {
  PackedInputs& view = prepared->view;
  view.wholes = prepared->wholes.data();
  view.scales = prepared->scales.data();
  view.sums = prepared->sums.data();
  const bool has_bases =
      std::any_of(prepared->bases.begin(), prepared->bases.end(), [](float base) { return base != 0; });
  if (has_bases) view.bases = prepared->bases.data();
  view.form = FormFor(*prepared);
  if (input_planes_ > 0) view.weight_planes = weight_planes_, view.input_planes = input_planes_;
  view.additions = additions_;
  view.codes = codes_;
  view.are_in_lanes =
      view.form == Form::kRaised || view.form == Form::kPairs || (view.form == Form::kSigns && !IsFew(view.count));
  if (view.form == Form::kRaised) ArrangeInLanes<int8_t>(prepared);
  if (view.form == Form::kPairs) ArrangeInLanes<int16_t>(prepared);
  if (view.form == Form::kSigns) ArrangeSigns(prepared);
  if (view.form == Form::kNibbles) ArrangeNibbles(prepared);
  if (view.form == Form::kCodes && view.codes.bits < 8) ArrangeForCodes(prepared);
  if (view.form == Form::kGroups) ArrangeForGroups(*patterns_, prepared);
  view.arranged = prepared->arranged.data();
}

PreparedInputs PackedMatrix::Empty(int64_t count) const {
  PreparedInputs prepared;
  prepared.view = {
      .count = count, .features = features(), .segment = segment_, .segments = (features() + segment_ - 1) / segment_};
  LayOutStatistics(IsFew(count), &prepared);
  return prepared;
}

PreparedInputs PackedMatrix::PrepareRotated(const std::vector<float>& x, int64_t count) const {
  PreparedInputs prepared = Empty(count);
  if (count == 0) return prepared;
  RoundInputs(x, &prepared);
  Finish(&prepared);
  return prepared;
}

PreparedInputs PackedMatrix::Prepare(std::span<const float> x, int64_t count) const {
  if (!quantizes_inputs()) return PrepareRotated(Rotate(x), count);
  PreparedInputs prepared = Empty(count);
  if (count == 0) return prepared;
  EncodeInputs(x, &prepared);
  Finish(&prepared);
  return prepared;
}

PackedMatrix::RoundedAndRest PackedMatrix::PrepareFloats(std::span<const float> x, int64_t count) const {
  std::vector<float> rest = Rotate(x);
  PreparedInputs rounded = PrepareRotated(rest, count);
  const PackedInputs& view = rounded.view;
  for (int64_t c = 0; c < count; ++c)
    for (int64_t s = 0; s < view.segments; ++s) {
      const float scale = view.scale(s, c);
      for (int64_t i = s * segment_; i < std::min((s + 1) * segment_, features()); ++i)
        rest[static_cast<size_t>(c * features() + i)] -= scale * view.wholes[c * view.wholes_stride + i];
    }
  return {std::move(rounded), PrepareRotated(rest, count)};
}

}  // namespace ridgeline
