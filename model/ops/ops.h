// SPDX-License-Identifier: Apache-2.0
// What a network, its quantizers and its optimizer compute with: the only place that knows a device. Layers, gradients
// and strategies call these and never look at the numbers of a tensor themselves.
//
// There are three. `cpu`: kernels that pass over memory once (Highway). `composed`: LibTorch's operations on any
// device, slower; a second opinion on a result, and what a device without kernels of its own has. `cuda`: composed, but
// for what has CUDA kernels (docs/cuda.md).
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <optional>

#include "method/quantizer_spec.h"
#include "model/kernels/gradient_wire.h"
#include "model/kernels/rows.h"

namespace ridgeline {

// training.kernels: those written for the device, or composed ones.
enum class Kernels { kAuto, kComposed };

struct RmsNormed {
  at::Tensor y;            // The shape and dtype of x.
  at::Tensor inverse_rms;  // (rows) float32: 1 / rms
};

struct LayerNormed {
  at::Tensor y;
  at::Tensor mean, rstd;  // (rows...) float32
};

struct NormGradients {
  at::Tensor x;             // The shape and dtype of x.
  at::Tensor weight, bias;  // (features) float32; bias of LayerNorm only.
};

struct GegluGradients {
  at::Tensor gate, up;
};

// Of a head over a batch's rows, on the device that made them: reading them waits for it.
struct HeadSums {
  at::Tensor values;  // (3) float64: loss in nats, rows whose largest logit is the target's, T^2 KL(teacher || student)

  double loss() const;
  int64_t correct() const;
  double divergence() const;
};

struct LearnedQuantizerGradients {
  at::Tensor x, scale;  // float32, of their shapes.
};

// What AdamW steps, all of the parameter's size: `gradient` float32 or bfloat16, the others float32; `copy`, if it is
// given, bfloat16, and receives the new weights.
struct AdamwTensors {
  at::Tensor gradient, weight, first, second, copy;
};

// Numbers begin .. begin + count - 1 of a tensor's memory.
struct NumberRange {
  int64_t begin = 0, count = 0;
};

// Immutable, and lives as long as the program. Tensors are contiguous, on its device, float32 or bfloat16 (x, y and
// their gradients of one dtype), and arithmetic is float32 inside; vectors are float32. Calls on a device return when
// their work is queued. Threads may call it at the same time where cuts_rows() is true, else one at a time. Throws
// c10::Error on shapes and dtypes that do not fit.
class Ops {
 public:
  virtual ~Ops() = default;
  virtual const char* name() const = 0;
  // Whether work on rows is cut into runs that fit a core's cache, one after the other on each thread; else whoever
  // works on rows gives it whole tensors.
  virtual bool cuts_rows() const = 0;

  // Layers. x / rms(x) * (1 + weight) over the last dimension. weight: (features)
  virtual RmsNormed RmsNorm(const at::Tensor& x, const at::Tensor& weight, double epsilon) const = 0;
  virtual NormGradients RmsNormBackward(const at::Tensor& x, const at::Tensor& inverse_rms, const at::Tensor& weight,
                                        const at::Tensor& g) const = 0;
  virtual LayerNormed LayerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                double epsilon) const = 0;
  virtual NormGradients LayerNormBackward(const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd,
                                          const at::Tensor& weight, const at::Tensor& bias,
                                          const at::Tensor& g) const = 0;
  // gelu_tanh(gate) * up
  virtual at::Tensor Geglu(const at::Tensor& gate, const at::Tensor& up) const = 0;
  virtual GegluGradients GegluBackward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& g) const = 0;
  // Differentiable by autograd, `tanh` being its approximation.
  virtual at::Tensor Gelu(const at::Tensor& x, bool tanh) const = 0;
  // x: (B, T, H, D), cosines and sines: (T, D / 2) float32. Pairs are (i, D / 2 + i); direction -1 is the inverse, and
  // the gradient.
  virtual at::Tensor Rotary(const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines,
                            double direction) const = 0;
  // softmax(scale q k^T, hidden where the mask is false) v, differentiable by autograd. q: (B, H, T, D), k and v:
  // (B, H, S, D); mask: (T, S), or none, with `is_causal` for T = S. Any strides.
  virtual at::Tensor Attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               const std::optional<at::Tensor>& mask, bool is_causal, double scale) const = 0;

  // Products in any strides: a: (n, k), b: (k, m) -> (n, m) of their dtype, summed in float32.
  virtual at::Tensor Product(const at::Tensor& a, const at::Tensor& b) const = 0;
  virtual void ProductInto(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) const = 0;
  virtual void AddProduct(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) const = 0;

  // The head. logits: (rows, V), targets: (rows) int64. They add to the sums; the gradients replace the logits.
  HeadSums NoSums(const at::Tensor& like) const;
  virtual void ScoreLogits(const at::Tensor& logits, const at::Tensor& targets, HeadSums* sums) const = 0;
  // scale * (softmax(logits) - onehot(target))
  virtual void LogitGradients(at::Tensor& logits, const at::Tensor& targets, double scale, HeadSums* sums) const = 0;
  // scale * T * (softmax(student / T) - softmax(teacher / T)), the gradient of T^2 KL. Overwrites the teacher's, too.
  virtual void DistillGradients(at::Tensor& student, at::Tensor& teacher, double temperature, double scale,
                                HeadSums* sums) const = 0;

  // Quantizers, as quant/autograd/fake_quantize.h and learned_scale.h define them.
  virtual at::Tensor FakeQuantize(at::Tensor x, const QuantizerSpec& spec) const = 0;
  virtual void QuantizeInto(const at::Tensor& x, const QuantizerSpec& spec, at::Tensor& x_hat,
                            at::Tensor* saved) const = 0;
  virtual void QuantizedGradient(const at::Tensor& x, const at::Tensor& saved, const at::Tensor& v,
                                 const QuantizerSpec& spec, at::Tensor& dx) const = 0;
  virtual double QuantErrorRatio(const at::Tensor& x, const QuantizerSpec& spec) const = 0;
  virtual at::Tensor FakeQuantizeLearned(const at::Tensor& x, const at::Tensor& scale, const QuantizerSpec& spec,
                                         int64_t numbers) const = 0;
  virtual LearnedQuantizerGradients LearnedGradients(const at::Tensor& x, const at::Tensor& v, const at::Tensor& scale,
                                                     const QuantizerSpec& spec, int64_t numbers) const = 0;

  // The optimizer.
  virtual void Adamw(const rows::AdamwStep& step, AdamwTensors& tensors, NumberRange range) const = 0;
  // Into element `place` of sums, float64.
  virtual void SumOfSquares(const at::Tensor& x, NumberRange range, at::Tensor& sums, int64_t place) const = 0;

  // What travels between ranks: bytes are kByte, contiguous, on the same device. Rows of a matrix, (rows, columns)
  // float32, as codes that decode to what `spec` makes of them, bit for bit: the parts of a packed tensor
  // (quant/codes/packed_tensor.h) one after the other, in the order that it lists them; they may begin anywhere.
  // `scales`: those that the spec learned, of the rows or one. Waits for a device where CodesAreMadeOnDevice is false.
  // REQUIRES: PackedLayoutOf them is OK, and has as many bytes.
  virtual void EncodeRows(const at::Tensor& x, const QuantizerSpec& spec, const std::optional<at::Tensor>& scales,
                          at::Tensor& bytes) const = 0;
  // Into rows of what layers compute in, float32 or bfloat16. REQUIRES: the bytes are those of a rank of the same
  // program.
  virtual void DecodeRows(const at::Tensor& bytes, const QuantizerSpec& spec, at::Tensor& rows) const = 0;
  // Gradients, float32 or bfloat16, into their WireBytes (model/kernels/gradient_wire.h), which begin at a multiple of
  // 4. The same bits on any device. `sum` is float32 or float64.
  virtual void EncodeGradient(GradientDtype dtype, const at::Tensor& x, uint64_t seed, at::Tensor& wire) const = 0;
  virtual void DecodeGradient(GradientDtype dtype, const at::Tensor& wire, Arrival arrival, at::Tensor& sum) const = 0;
};

// A host tensor on the device: from pinned memory, so that nobody waits for the copy. Itself on the CPU.
at::Tensor ToDevice(const at::Tensor& host, const at::Device& device);

const Ops& CpuOps();
const Ops& ComposedOps();
const Ops& CudaOps();  // In builds with RIDGELINE_CUDA.
// Throws c10::Error for a device that this build has no operations for.
const Ops& OpsFor(const at::Device& device, Kernels kernels);

}  // namespace ridgeline
