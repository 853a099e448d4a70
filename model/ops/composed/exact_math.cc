// SPDX-License-Identifier: Apache-2.0
#include "model/ops/composed/exact_math.h"

#include <cmath>
#include <limits>

#include "model/ops/ops.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

template <typename T>
at::Tensor LookedUpIn(const std::vector<T>& table, const at::Tensor& index) {
  return ToDevice(at::tensor(table), index.device()).index({index});
}

}  // namespace

// at::abs, at::where and at::logical_not do not run on meta.
at::Tensor SizesOf(const at::Tensor& x) {
  return at::bitwise_and(x.view(at::kInt), std::numeric_limits<int32_t>::max()).view(at::kFloat);
}

at::Tensor Select(const at::Tensor& condition, const at::Tensor& a, const at::Tensor& b) {
  return a.masked_fill(condition.bitwise_not(), 0) + b.masked_fill(condition, 0);
}

at::Tensor Divided(const at::Tensor& x, double by) { return x / at::full_like(x, by); }

// Float64 has room for the product, and the sum is rounded there to odd: what was lost is told from a tie when float32
// rounds it once more.
at::Tensor FusedMultiplyAdd(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
  const at::Tensor product = a.to(at::kDouble) * b.to(at::kDouble), addend = c.to(at::kDouble);
  const at::Tensor sum = product + addend, of_addend = sum - product;
  const at::Tensor lost = (product - (sum - of_addend)) + (addend - of_addend);  // Exactly.
  const at::Tensor away = lost * sum;                                            // From zero, if it is above 0.
  const at::Tensor bits = sum.view(at::kLong), is_even = at::bitwise_xor(at::bitwise_and(bits, 1), 1);
  const at::Tensor to_odd = is_even * (away.gt(0).to(at::kLong) - away.lt(0).to(at::kLong));
  return (bits + to_odd).view(at::kDouble).to(at::kFloat);
}

at::Tensor RoundedToFloat16(const at::Tensor& x) {
  return x.clamp(-kFloat16.largest, kFloat16.largest).to(at::kHalf).to(at::kFloat) + 0.0;
}

at::Tensor PowerOfTwoBelow(const at::Tensor& x) {
  return at::bitwise_and(x.view(at::kInt), 0x7F800000).view(at::kFloat);
}

// A sum with a number this much larger has room for exactly the element's mantissa bits.
at::Tensor RoundedToElement(const FloatElement& element, const at::Tensor& x) {
  constexpr int kMantissaBits = 23;
  const double smallest_normal = std::ldexp(1.0, element.smallest_exponent());
  const double magnet = std::ldexp(1.5, kMantissaBits - element.mantissa_bits);
  const at::Tensor large = PowerOfTwoBelow(x).clamp_min(smallest_normal) * magnet;
  return (x + large) - large;
}

at::Tensor ShiftedRight(const at::Tensor& x, int bits) {
  return at::bitwise_and(at::bitwise_right_shift(x, bits), static_cast<int64_t>(~uint64_t{0} >> bits));
}

// Twice the quotient of half the number is at most one too small.
at::Tensor DividedUnsigned(const at::Tensor& x, int64_t by) {
  const at::Tensor divisor = at::full_like(x, by);
  const at::Tensor quotient = at::div(ShiftedRight(x, 1), divisor, "floor") * 2;
  return quotient + (x - quotient * divisor).ge(divisor).to(at::kLong);
}

at::Tensor Mixed(const at::Tensor& h) {
  const auto xor_shifted = [](const at::Tensor& x, int bits) { return at::bitwise_xor(x, ShiftedRight(x, bits)); };
  at::Tensor mixed = xor_shifted(h, 30) * static_cast<int64_t>(UINT64_C(0xBF58476D1CE4E5B9));
  mixed = xor_shifted(mixed, 27) * static_cast<int64_t>(UINT64_C(0x94D049BB133111EB));
  return xor_shifted(mixed, 31);
}

at::Tensor LookedUp(const std::vector<float>& table, const at::Tensor& index) { return LookedUpIn(table, index); }
at::Tensor LookedUp(const std::vector<int64_t>& table, const at::Tensor& index) { return LookedUpIn(table, index); }

at::Tensor HadamardOfRows(const at::Tensor& x) {
  const int64_t blocks = x.size(0), n = x.size(1);
  at::Tensor y = x * static_cast<float>(1 / std::sqrt(static_cast<double>(n)));
  for (int64_t apart = 1; apart < n; apart *= 2) {
    const at::Tensor pairs = y.view({blocks, n / (2 * apart), 2, apart});
    const at::Tensor lower = pairs.select(2, 0), upper = pairs.select(2, 1);
    y = at::stack({lower + upper, lower - upper}, 2).view({blocks, n});
  }
  return y;
}

at::Tensor HadamardSigns(int64_t features, const at::Device& device) {
  const at::Tensor place = at::arange(1, features + 1, at::TensorOptions(at::kLong).device(device));
  const at::Tensor is_minus = at::bitwise_and(Mixed(place * static_cast<int64_t>(UINT64_C(0x9E3779B97F4A7C15))), 1);
  return (is_minus * -2 + 1).to(at::kFloat);
}

}  // namespace ridgeline
