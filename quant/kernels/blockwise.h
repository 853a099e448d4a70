// SPDX-License-Identifier: Apache-2.0
// Turns a pair of block functions, already dispatched to an instruction set, into an Estimator.
#pragma once

#include <vector>

#include "quant/kernels/estimator.h"
#include "quant/kernels/hadamard.h"

namespace ridgeline {

// Calls function(offset, length) for each block of a (rows, features) matrix.
template <typename Function>
void ForEachBlock(int64_t rows, int64_t features, int64_t block, const Function& function) {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t begin = 0; begin < features; begin += block) {
      int64_t length = features - begin < block ? features - begin : block;
      function(row * features + begin, length);
    }
}

// Room for `length` numbers, kept by each thread. The pointer holds until the thread's next call.
template <typename T>
T* Scratch(int64_t length) {
  thread_local std::vector<T> scratch;
  if (static_cast<int64_t>(scratch.size()) < length) scratch.resize(static_cast<size_t>(length));
  return scratch.data();
}

// Block functions of one element type: (spec, x, n, q scratch, x_hat) and (spec, x, v, n, q scratch, dx).
template <typename T>
using BlockForward = void (*)(const QuantizerSpec&, const T*, int64_t, T*, T*);
template <typename T>
using BlockBackward = void (*)(const QuantizerSpec&, const T*, const T*, int64_t, T*, T*);

template <typename T>
void ForwardBlocks(BlockForward<T> forward, const QuantizerSpec& spec, const T* x, int64_t rows, int64_t features,
                   T* x_hat) {
  const int64_t block = spec.block < features ? spec.block : features;
  T* q = Scratch<T>(3 * block);
  T* rotated = q + block;
  T* result = rotated + block;
  ForEachBlock(rows, features, block, [&](int64_t at, int64_t n) {
    if (!spec.hadamard) return forward(spec, x + at, n, q, x_hat + at);
    Hadamard(x + at, n, q, rotated);
    forward(spec, rotated, n, q, result);
    Hadamard(result, n, q, x_hat + at);
  });
}

// H is symmetric and its own inverse, so the gradient passes the same two rotations.
template <typename T>
void BackwardBlocks(BlockBackward<T> backward, const QuantizerSpec& spec, const T* x, const T* v, int64_t rows,
                    int64_t features, T* dx) {
  const int64_t block = spec.block < features ? spec.block : features;
  T* q = Scratch<T>(4 * block);
  T* rotated_x = q + block;
  T* rotated_v = rotated_x + block;
  T* result = rotated_v + block;
  ForEachBlock(rows, features, block, [&](int64_t at, int64_t n) {
    if (!spec.hadamard) return backward(spec, x + at, v + at, n, q, dx + at);
    Hadamard(x + at, n, q, rotated_x);
    Hadamard(v + at, n, q, rotated_v);
    backward(spec, rotated_x, rotated_v, n, q, result);
    Hadamard(result, n, q, dx + at);
  });
}

// An Estimator from four dispatched block functions; `Functions` names them as static members.
template <typename Functions>
class BlockwiseEstimator final : public Estimator {
 public:
  std::string_view name() const override { return Functions::kName; }
  void Forward(const QuantizerSpec& spec, const float* x, int64_t rows, int64_t features, float* x_hat) const override {
    ForwardBlocks<float>(Functions::ForwardF32(), spec, x, rows, features, x_hat);
  }
  void Forward(const QuantizerSpec& spec, const double* x, int64_t rows, int64_t features,
               double* x_hat) const override {
    ForwardBlocks<double>(Functions::ForwardF64(), spec, x, rows, features, x_hat);
  }
  void Backward(const QuantizerSpec& spec, const float* x, const float* v, int64_t rows, int64_t features,
                float* dx) const override {
    BackwardBlocks<float>(Functions::BackwardF32(), spec, x, v, rows, features, dx);
  }
  void Backward(const QuantizerSpec& spec, const double* x, const double* v, int64_t rows, int64_t features,
                double* dx) const override {
    BackwardBlocks<double>(Functions::BackwardF64(), spec, x, v, rows, features, dx);
  }
};

}  // namespace ridgeline
