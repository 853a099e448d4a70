// SPDX-License-Identifier: Apache-2.0
// The interface of an estimator: what the quantized tensor is, and what gradient passes it. One file an estimator.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "quant/spec/quant_spec.h"

namespace ridgeline {

// Works on a row-major matrix (rows, features) whose rows are cut into blocks; blocks do not see each other, so calls
// on disjoint rows may run on different threads. Implementations are stateless and thread-safe; a call allocates at
// most four scratch blocks per thread, dispatches to the best instruction set of the machine, and reads and writes
// each element once. Numbers up to 1e30 in size give finite output; a NaN in a block makes its output NaN.
// With spec.hadamard each block is rotated, quantized, and rotated back, and so is its gradient.
// A block whose grid has no extent (constant under affine, all zero under linear) is reproduced as it is.
class Estimator {
 public:
  virtual ~Estimator() = default;
  virtual std::string_view name() const = 0;

  // x_hat = dequantized x. REQUIRES: spec is valid and enabled, and ValidateFeatures accepts `features`.
  virtual void Forward(const QuantizerSpec& spec, const float* x, int64_t rows, int64_t features,
                       float* x_hat) const = 0;
  virtual void Forward(const QuantizerSpec& spec, const double* x, int64_t rows, int64_t features,
                       double* x_hat) const = 0;

  // dx = dL/dx from v = dL/dx_hat, in closed form; codes and statistics are computed again from x.
  virtual void Backward(const QuantizerSpec& spec, const float* x, const float* v, int64_t rows, int64_t features,
                        float* dx) const = 0;
  virtual void Backward(const QuantizerSpec& spec, const double* x, const double* v, int64_t rows, int64_t features,
                        double* dx) const = 0;
};

// arXiv 2409.09245: a ridge regression of x onto its codes; the gradient sees the rounding error.
const Estimator& RidgeEstimator();

// Straight-through: the grid's own scale and offset, identity gradient.
const Estimator& SteEstimator();

// QuEST with a scale for each block: a Gaussian grid, and a gradient where the grid is to be trusted.
const Estimator& QuestEstimator();

// Ridge on a Gaussian grid, with QuEST's trust in the gradient through f.
const Estimator& RidgeTrustEstimator();

// Straight-through where the grid does not clip.
const Estimator& SteClipEstimator();

// BitNet b1, b1.58 and Reloaded: binary or ternary weights with int8 activations.
const Estimator& BitnetB1Estimator();
const Estimator& BitnetEstimator();
const Estimator& BitnetReloadedEstimator();

// The 1-bit adapter: normalised codes, mean and deviation in the graph.
const Estimator& BiAdapterEstimator();

// torchao's integers, symmetric (linear) or with a zero point (affine), bit for bit.
const Estimator& TorchaoEstimator();

// Gaussian weight sampling and DiffQ: noise of the grid's step while training, rounding with spec.hard_rounding.
const Estimator& GaussWsEstimator();
const Estimator& DiffqEstimator();

// By the name that recipes use. INVALID_ARGUMENT lists the names.
absl::StatusOr<const Estimator*> FindEstimator(std::string_view name);

}  // namespace ridgeline
