// SPDX-License-Identifier: Apache-2.0
#include "model/ops/cuda/cuda_ops.h"

#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <string>

#include "method/resolved_spec.h"
#include "quant/autograd/torch_pch.h"
#include "quant/cuda/kernels.h"
#include "quant/cuda/params_of_spec.h"

namespace ridgeline {
namespace {

void ThrowIfFailed(cudaError_t error, const char* what) {
  TORCH_CHECK(error == cudaSuccess, what, ": ", cudaGetErrorName(error), ": ", cudaGetErrorString(error));
}

cuda::ConstArray Read(const at::Tensor& x) {
  if (x.scalar_type() == at::kFloat) return x.const_data_ptr<float>();
  return static_cast<const BFloat16*>(x.const_data_ptr());
}

cuda::MutableArray Written(const at::Tensor& x) {
  if (x.scalar_type() == at::kFloat) return x.mutable_data_ptr<float>();
  return static_cast<BFloat16*>(x.mutable_data_ptr());
}

// The kernels' parameters for x, or none where they do not take the spec. Formats whose scales are shares of one for
// the whole tensor (nvfp4, nvint4) need its largest number here: the host waits for it.
std::optional<cuda::BlockParams> KernelFor(const at::Tensor& x, const QuantizerSpec& spec) {
  QuantizerSpec of_tensor = spec;
  const bool has_tensor_scale = spec.quantizes() && ScaleEncodingOf(spec.format) == ScaleEncoding::kE4m3;
  // Which is that of the rotated numbers.
  if (has_tensor_scale && spec.hadamard) return std::nullopt;
  if (has_tensor_scale) of_tensor.tensor_max = x.abs().max().item<double>();
  const absl::StatusOr<cuda::BlockParams> params = cuda::ParamsOfSpec(of_tensor);
  if (absl::IsUnimplemented(params.status())) return std::nullopt;
  TORCH_CHECK(params.ok(), std::string(params.status().message()));
  return *params;
}

int64_t RowsOf(const at::Tensor& x) { return x.size(-1) == 0 ? 0 : x.numel() / x.size(-1); }

cudaStream_t StreamOf(const at::Tensor& x) { return c10::cuda::getCurrentCUDAStream(x.device().index()).stream(); }

}  // namespace

LayerNormed OpsOnCuda::LayerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                 double epsilon) const {
  auto [y, mean, rstd] =
      at::native_layer_norm(x, {x.size(-1)}, weight.to(x.scalar_type()), bias.to(x.scalar_type()), epsilon);
  return {y, mean, rstd};
}

NormGradients OpsOnCuda::LayerNormBackward(const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd,
                                           const at::Tensor& weight, const at::Tensor& bias,
                                           const at::Tensor& g) const {
  auto [dx, dweight, dbias] = at::native_layer_norm_backward(g, x, {x.size(-1)}, mean, rstd, weight.to(x.scalar_type()),
                                                             bias.to(x.scalar_type()), {true, true, true});
  return {dx, dweight.to(at::kFloat), dbias.to(at::kFloat)};
}

at::Tensor OpsOnCuda::Gelu(const at::Tensor& x, bool tanh) const { return at::gelu(x, tanh ? "tanh" : "none"); }

at::Tensor OpsOnCuda::Attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                const std::optional<at::Tensor>& mask, bool is_causal, double scale) const {
  return at::scaled_dot_product_attention(q, k, v, mask, 0.0, is_causal, scale);
}

at::Tensor OpsOnCuda::Quantized(const at::Tensor& x, const QuantizerSpec& spec, at::ScalarType out) const {
  const std::optional<cuda::BlockParams> params = KernelFor(x, spec);
  if (!params) return ComposedOperations::Quantized(x, spec, out);
  const at::Tensor in = x.detach().contiguous();
  const c10::cuda::CUDAGuard on_its_device(in.device());
  const at::Tensor x_hat = at::empty(in.sizes(), in.options().dtype(out));
  ThrowIfFailed(cuda::Forward(*params, Read(in), RowsOf(in), in.size(-1), Written(x_hat), StreamOf(in)),
                "a quantizer's forward kernel");
  return x_hat;
}

at::Tensor OpsOnCuda::GradientOf(const at::Tensor& x, const at::Tensor& v, const QuantizerSpec& spec) const {
  if (PassesGradient(spec)) return v;
  const std::optional<cuda::BlockParams> params = KernelFor(x, spec);
  if (!params) return ComposedOperations::GradientOf(x, v, spec);
  const at::Tensor in = x.detach().contiguous(), upstream = v.contiguous();
  const c10::cuda::CUDAGuard on_its_device(in.device());
  const at::Tensor dx = at::empty_like(upstream);
  ThrowIfFailed(cuda::Backward(*params, Read(in), Read(upstream), RowsOf(in), in.size(-1), Written(dx), StreamOf(in)),
                "a quantizer's backward kernel");
  return dx;
}

const Ops& CudaOps() {
  static const OpsOnCuda ops;
  return ops;
}

}  // namespace ridgeline
