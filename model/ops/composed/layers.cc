// SPDX-License-Identifier: Apache-2.0
#include "model/ops/composed/composed_ops.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr double kSqrtTwoOverPi = 0.7978845608028654, kCubic = 0.044715;

at::Tensor Wide(const at::Tensor& x) { return x.to(at::kFloat); }

// (rows, features) float32
at::Tensor WideRows(const at::Tensor& x) { return Wide(x).reshape({-1, x.size(-1)}); }

at::Tensor Tanh(const at::Tensor& x) { return at::tanh(kSqrtTwoOverPi * (x + kCubic * x * x * x)); }

// d gelu_tanh / dx, given tanh's value t there.
at::Tensor GeluSlope(const at::Tensor& x, const at::Tensor& t) {
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * kSqrtTwoOverPi * (1 + 3 * kCubic * x * x);
}

}  // namespace

RmsNormed ComposedOperations::RmsNorm(const at::Tensor& x, const at::Tensor& weight, double epsilon) const {
  const at::Tensor rows = WideRows(x), inverse_rms = at::rsqrt(rows.square().mean(1) + epsilon);
  return {(rows * inverse_rms.unsqueeze(1) * (1 + weight)).to(x.scalar_type()).view_as(x), inverse_rms};
}

NormGradients ComposedOperations::RmsNormBackward(const at::Tensor& x, const at::Tensor& inverse_rms,
                                                  const at::Tensor& weight, const at::Tensor& g) const {
  const at::Tensor normed = WideRows(x) * inverse_rms.unsqueeze(1), upstream = WideRows(g);
  const at::Tensor scaled = upstream * (1 + weight);
  const at::Tensor dx = (scaled - normed * (scaled * normed).mean(1, true)) * inverse_rms.unsqueeze(1);
  return {dx.to(x.scalar_type()).view_as(x), (upstream * normed).sum(0), {}};
}

LayerNormed ComposedOperations::LayerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                          double epsilon) const {
  const at::Tensor wide = Wide(x), mean = wide.mean(-1, true), centred = wide - mean;
  const at::Tensor rstd = at::rsqrt(centred.square().mean(-1, true) + epsilon);
  return {(centred * rstd * weight + bias).to(x.scalar_type()), mean, rstd};
}

NormGradients ComposedOperations::LayerNormBackward(const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd,
                                                    const at::Tensor& weight, const at::Tensor&,
                                                    const at::Tensor& g) const {
  const at::Tensor normed = (Wide(x) - mean) * rstd, upstream = Wide(g), scaled = upstream * weight;
  const at::Tensor dx = (scaled - scaled.mean(-1, true) - normed * (scaled * normed).mean(-1, true)) * rstd;
  return {dx.to(x.scalar_type()), WideRows(upstream * normed).sum(0), WideRows(upstream).sum(0)};
}

at::Tensor ComposedOperations::Geglu(const at::Tensor& gate, const at::Tensor& up) const {
  const at::Tensor wide = Wide(gate);
  return (0.5 * wide * (1 + Tanh(wide)) * Wide(up)).to(gate.scalar_type());
}

GegluGradients ComposedOperations::GegluBackward(const at::Tensor& gate, const at::Tensor& up,
                                                 const at::Tensor& g) const {
  const at::Tensor wide = Wide(gate), t = Tanh(wide), upstream = Wide(g);
  return {(upstream * Wide(up) * GeluSlope(wide, t)).to(gate.scalar_type()),
          (upstream * 0.5 * wide * (1 + t)).to(gate.scalar_type())};
}

at::Tensor ComposedOperations::Gelu(const at::Tensor& x, bool tanh) const {
  const at::Tensor wide = Wide(x);
  const at::Tensor slope = tanh ? Tanh(wide) : at::erf(wide * M_SQRT1_2);
  return (0.5 * wide * (1 + slope)).to(x.scalar_type());
}

at::Tensor ComposedOperations::Rotary(const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines,
                                      double direction) const {
  const int64_t half = x.size(3) / 2;
  const at::Tensor wide = Wide(x), left = wide.narrow(3, 0, half), right = wide.narrow(3, half, half);
  const at::Tensor c = cosines.unsqueeze(1), s = (sines * direction).unsqueeze(1);  // (T, 1, D / 2)
  return at::cat({left * c - right * s, right * c + left * s}, 3).to(x.scalar_type());
}

// Plain softmax of all scores.
at::Tensor ComposedOperations::Attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                         const std::optional<at::Tensor>& mask, bool is_causal, double scale) const {
  at::Tensor scores = at::matmul(Wide(q) * scale, Wide(k).transpose(-2, -1));
  std::optional<at::Tensor> seen = mask;
  if (is_causal) seen = at::ones({q.size(2), k.size(2)}, q.options().dtype(at::kBool)).tril();
  if (seen) scores = scores.masked_fill(seen->logical_not(), -std::numeric_limits<float>::infinity());
  return at::matmul(at::softmax(scores, -1), Wide(v)).to(q.scalar_type());
}

// A CPU without instructions for bfloat16 widens it; devices have their own.
at::Tensor ComposedOperations::Product(const at::Tensor& a, const at::Tensor& b) const {
  if (!a.is_cpu()) return at::mm(a, b);
  return at::mm(Wide(a), Wide(b)).to(a.scalar_type());
}

void ComposedOperations::ProductInto(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) const {
  out.copy_(Product(a, b));
}

void ComposedOperations::AddProduct(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) const {
  if (!a.is_cpu()) {
    out.addmm_(a, b);
    return;
  }
  out.copy_(Wide(out) + at::mm(Wide(a), Wide(b)));
}

}  // namespace ridgeline
