// SPDX-License-Identifier: Apache-2.0
#include "model/ops/cpu/cpu_ops.h"
#include "model/ops/cpu/matrix_product.h"
#include "model/ops/cpu/row_threads.h"

namespace ridgeline {

RmsNormed OpsOnCpu::RmsNorm(const at::Tensor& x, const at::Tensor& weight, double epsilon) const {
  const int64_t n = x.size(-1), count = x.numel() / n;
  RmsNormed normed{at::empty_like(x), at::empty({count}, at::kFloat)};
  ForElementOf(x, [&](auto element) {
    using T = decltype(element);
    ForRows(count, n, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        Out<float>(normed.inverse_rms)[row] = rows::RmsNorm(In<T>(x) + row * n, In<float>(weight),
                                                            static_cast<float>(epsilon), n, Out<T>(normed.y) + row * n);
    });
  });
  return normed;
}

NormGradients OpsOnCpu::RmsNormBackward(const at::Tensor& x, const at::Tensor& inverse_rms, const at::Tensor& weight,
                                        const at::Tensor& g) const {
  const int64_t n = x.size(-1), count = x.numel() / n;
  at::Tensor dx = at::empty_like(x);
  // A partial sum a run of rows, added in order: the same whatever the number of threads.
  const int64_t rows_per_run = std::max<int64_t>(1, kElementsPerThread / n),
                runs = (count + rows_per_run - 1) / rows_per_run;
  at::Tensor partial = at::zeros({runs, n}, at::kFloat);
  ForElementOf(x, [&](auto element) {
    using T = decltype(element);
    const T *in = In<T>(x), *upstream = In<T>(g);
    T* out = Out<T>(dx);
    float* sums = Out<float>(partial);
    at::parallel_for(0, runs, 1, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin * rows_per_run; row < std::min(end * rows_per_run, count); ++row)
        rows::RmsNormBackward(in + row * n, In<float>(weight), In<float>(inverse_rms)[row], upstream + row * n, n,
                              out + row * n, sums + row / rows_per_run * n);
    });
  });
  return {dx, partial.sum(0), {}};
}

LayerNormed OpsOnCpu::LayerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                double epsilon) const {
  auto [y, mean, rstd] = at::native_layer_norm(x, {x.size(-1)}, weight, bias, epsilon);
  return {y, mean, rstd};
}

NormGradients OpsOnCpu::LayerNormBackward(const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd,
                                          const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& g) const {
  auto [dx, dweight, dbias] =
      at::native_layer_norm_backward(g, x, {x.size(-1)}, mean, rstd, weight, bias, {true, true, true});
  return {dx, dweight, dbias};
}

at::Tensor OpsOnCpu::Geglu(const at::Tensor& gate, const at::Tensor& up) const {
  at::Tensor y = at::empty_like(gate);
  ForElementOf(gate, [&](auto element) {
    using T = decltype(element);
    at::parallel_for(0, gate.numel(), kElementsPerThread, [&](int64_t begin, int64_t end) {
      rows::Geglu(In<T>(gate) + begin, In<T>(up) + begin, end - begin, Out<T>(y) + begin);
    });
  });
  return y;
}

GegluGradients OpsOnCpu::GegluBackward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& g) const {
  GegluGradients gradients{at::empty_like(gate), at::empty_like(up)};
  ForElementOf(gate, [&](auto element) {
    using T = decltype(element);
    at::parallel_for(0, gate.numel(), kElementsPerThread, [&](int64_t begin, int64_t end) {
      rows::GegluBackward(In<T>(gate) + begin, In<T>(up) + begin, In<T>(g) + begin, end - begin,
                          Out<T>(gradients.gate) + begin, Out<T>(gradients.up) + begin);
    });
  });
  return gradients;
}

at::Tensor OpsOnCpu::Gelu(const at::Tensor& x, bool tanh) const { return at::gelu(x, tanh ? "tanh" : "none"); }

at::Tensor OpsOnCpu::Rotary(const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines,
                            double direction) const {
  const int64_t length = x.size(1), heads = x.size(2), dim = x.size(3), half = dim / 2;
  at::Tensor y = at::empty_like(x);
  ForElementOf(x, [&](auto element) {
    using T = decltype(element);
    ForRows(x.numel() / dim, dim, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t position = row / heads % length;
        rows::Rotate(In<T>(x) + row * dim, In<float>(cosines) + position * half, In<float>(sines) + position * half,
                     static_cast<float>(direction), half, Out<T>(y) + row * dim);
      }
    });
  });
  return y;
}

at::Tensor OpsOnCpu::Attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               const std::optional<at::Tensor>& mask, bool is_causal, double scale) const {
  const at::ScalarType type = q.scalar_type();
  const at::ScalarType inside = type == at::kBFloat16 && !HasBfloat16Products() ? at::kFloat : type;
  return at::scaled_dot_product_attention(q.to(inside), k.to(inside), v.to(inside), mask, 0.0, is_causal, scale)
      .to(type);
}

at::Tensor OpsOnCpu::Product(const at::Tensor& a, const at::Tensor& b) const { return MatrixProduct(a, b); }
void OpsOnCpu::ProductInto(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) const {
  MatrixProductInto(a, b, out);
}
void OpsOnCpu::AddProduct(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) const {
  AddMatrixProduct(a, b, out);
}

}  // namespace ridgeline
