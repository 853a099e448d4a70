// SPDX-License-Identifier: Apache-2.0
#include "quant/autograd/published_ref.h"

#include <map>

#include "quant/autograd/torch_pch.h"
#include "quant/kernels/noise.h"

namespace ridgeline {
namespace {

using Quantizer = at::Tensor (*)(const at::Tensor& x, const QuantizerSpec& spec);

at::Tensor StraightThrough(const at::Tensor& x, const at::Tensor& x_hat) { return x + (x_hat - x).detach(); }

at::Tensor MaxAbs(const at::Tensor& x) { return std::get<0>(x.detach().abs().max(1, true)); }

at::Tensor Int8Activations(const at::Tensor& x, double divisor) {
  at::Tensor to_codes = divisor / MaxAbs(x).clamp_min(1e-5);
  return StraightThrough(x, (x * to_codes).round().clamp(-128, 127) / to_codes);
}

at::Tensor BitnetB1(const at::Tensor& x, const QuantizerSpec& spec) {
  if (spec.format == Format::kInt8) return Int8Activations(x, 127);
  at::Tensor positive = x >= x.mean(1, true), level = x.abs().mean(1, true);
  return StraightThrough(x, at::where(positive, level, -level));
}

at::Tensor Ternary(const at::Tensor& x, const at::Tensor& measure) {
  at::Tensor to_codes = 1 / measure.clamp_min(1e-5);
  return StraightThrough(x, (x * to_codes).round().clamp(-1, 1) / to_codes);
}

at::Tensor Bitnet(const at::Tensor& x, const QuantizerSpec& spec) {
  return spec.format == Format::kInt8 ? Int8Activations(x, 127) : Ternary(x, x.abs().mean(1, true));
}

at::Tensor BitnetReloaded(const at::Tensor& x, const QuantizerSpec& spec) {
  return spec.format == Format::kInt8 ? Int8Activations(x, 128) : Ternary(x, std::get<0>(x.abs().median(1, true)));
}

at::Tensor BiAdapter(const at::Tensor& x, const QuantizerSpec&) {
  if (x.size(1) == 1) return x;
  at::Tensor mean = x.mean(1, true), deviation = x.std(1, /*unbiased=*/true, /*keepdim=*/true);
  at::Tensor normalised = (x - mean) / (deviation + 1e-5);
  at::Tensor codes =
      at::where(normalised < 0, at::full_like(x, -0.6744897501960817), at::full_like(x, 0.6744897501960817));
  return (normalised + (codes - normalised).detach()) * deviation + mean;
}

double SmallestNormal(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? std::numeric_limits<double>::min() : std::numeric_limits<float>::min();
}

at::Tensor Torchao(const at::Tensor& x, const QuantizerSpec& spec) {
  const double lowest = -std::exp2(IntegerBits(spec.format) - 1), highest = -lowest - 1;
  at::Tensor still = x.detach(), scale, zero;
  if (spec.scheme == Scheme::kLinear) {
    scale = (MaxAbs(x) / ((highest - lowest) / 2)).clamp_min(SmallestNormal(x));
    zero = at::zeros_like(scale);
  } else {
    at::Tensor smallest = std::get<0>(still.min(1, true)).clamp_max(0),
               largest = std::get<0>(still.max(1, true)).clamp_min(0);
    scale = ((largest - smallest) / (highest - lowest)).clamp_min(0x1p-23);
    zero = (lowest - (smallest / scale).round()).clamp(lowest, highest);
  }
  at::Tensor f = x * (1 / scale);
  at::Tensor codes = (f + (f.round() - f).detach() + zero).clamp(lowest, highest);
  return (codes - zero) * scale;
}

// It follows from the bits of the numbers, and is drawn on the host. x: float or double.
template <typename T>
at::Tensor NoiseOfNumbers(const at::Tensor& x, void (*draw)(const T*, int64_t, T*)) {
  at::Tensor blocks = x.detach().cpu().contiguous(), noise = at::empty_like(blocks);
  for (int64_t row = 0; row < blocks.size(0); ++row)
    draw(blocks.const_data_ptr<T>() + row * blocks.size(1), blocks.size(1),
         noise.mutable_data_ptr<T>() + row * blocks.size(1));
  return noise.to(x.device());
}

struct NoiseSource {
  void (*of_floats)(const float*, int64_t, float*);
  void (*of_doubles)(const double*, int64_t, double*);
};

at::Tensor NoiseOf(const at::Tensor& x, const NoiseSource& source) {
  return x.scalar_type() == at::kDouble ? NoiseOfNumbers<double>(x, source.of_doubles)
                                        : NoiseOfNumbers<float>(x, source.of_floats);
}

at::Tensor GaussWs(const at::Tensor& x, const QuantizerSpec& spec) {
  const double half = std::exp2(IntegerBits(spec.format) - 1);
  at::Tensor step = MaxAbs(x) / half;
  if (spec.hard_rounding)
    return StraightThrough(x, at::where(step > 0, (x / step).round().clamp(-half, half - 1) * step, x));
  return x + NoiseOf(x, {GaussianSamplingNoise, GaussianSamplingNoise}) * step;
}

at::Tensor Diffq(const at::Tensor& x, const QuantizerSpec& spec) {
  const double levels = std::exp2(IntegerBits(spec.format)) - 1;
  at::Tensor still = x.detach(), smallest = std::get<0>(still.min(1, true));
  at::Tensor step = (std::get<0>(still.max(1, true)) - smallest) / levels;
  if (spec.hard_rounding)
    return StraightThrough(x, at::where(step > 0, ((x - smallest) / step).round() * step + smallest, x));
  return x + NoiseOf(x, {DiffqNoise, DiffqNoise}) * step;
}

const std::map<std::string, Quantizer, std::less<>>& Quantizers() {
  static const std::map<std::string, Quantizer, std::less<>> quantizers = {
      {"bitnet_b1", BitnetB1},   {"bitnet", Bitnet},   {"bitnet_reloaded", BitnetReloaded},
      {"bi_adapter", BiAdapter}, {"torchao", Torchao}, {"gaussws", GaussWs},
      {"diffq", Diffq}};
  return quantizers;
}

}  // namespace

bool HasPublished_ref(std::string_view estimator) { return Quantizers().contains(estimator); }

at::Tensor QuantizeBlocksAsPublished_ref(const at::Tensor& x, const QuantizerSpec& spec) {
  return Quantizers().at(spec.estimator)(x, spec);
}

}  // namespace ridgeline
