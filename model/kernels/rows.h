// SPDX-License-Identifier: Apache-2.0
// Row-wise math of a transformer that LibTorch would spread over many passes. No LibTorch here. Each function reads and
// writes each element once or twice while it is in cache, dispatches to the best instruction set, and does not
// allocate. T is float or Bfloat16; all arithmetic is in float. Thread-safe; callers split rows over threads.
#pragma once

#include <cstdint>

namespace ridgeline::rows {

// The bits of a bfloat16, layout-compatible with LibTorch's.
struct Bfloat16 {
  uint16_t bits;
};

// y = x / rms(x) * (1 + weight), rms over n features. Returns 1 / rms.
template <typename T>
float RmsNorm(const T* x, const float* weight, float epsilon, int64_t n, T* y);

// dx from g = dL/dy, and dweight += its part of dL/dweight. inverse_rms is what RmsNorm returned.
template <typename T>
void RmsNormBackward(const T* x, const float* weight, float inverse_rms, const T* g, int64_t n, T* dx, float* dweight);

// Rotates the pairs (x[i], x[half + i]) by the angles whose cosines and sines are given; direction +1, or -1 for the
// inverse, which is also the gradient. cosines, sines: (half).
template <typename T>
void Rotate(const T* x, const float* cosines, const float* sines, float direction, int64_t half, T* y);

// y = gelu_tanh(gate) * up
template <typename T>
void Geglu(const T* gate, const T* up, int64_t n, T* y);
template <typename T>
void GegluBackward(const T* gate, const T* up, const T* g, int64_t n, T* dgate, T* dup);

struct RowScore {
  float loss = 0;    // -log softmax(logits)[target]
  int64_t best = 0;  // Of the largest logit, the first of equals.
};

template <typename T>
RowScore ScoreLogits(const T* logits, int64_t n, int64_t target);

// The same, and logits becomes scale * dloss/dlogits = scale * (softmax(logits) - onehot(target)).
template <typename T>
RowScore ScoreLogitsInPlace(T* logits, int64_t n, int64_t target, float scale);

// logits becomes scale * T * (softmax(logits / T) - softmax(teacher / T)), the gradient of
// T^2 * KL(teacher || student) at temperature T; returns that divergence times T^2. teacher is overwritten.
template <typename T>
float DistillLogitsInPlace(T* logits, T* teacher, int64_t n, float temperature, float scale);

// AdamW on n numbers, decoupled decay. g is multiplied by g_scale first. copy (may be null) receives the new weight.
struct AdamwStep {
  float learning_rate, beta1, beta2, epsilon, weight_decay;
  float correction1, correction2;  // 1 - beta^step
  float gradient_scale;
};
template <typename T>
void Adamw(const AdamwStep& step, const T* g, int64_t n, float* weight, float* m, float* v, Bfloat16* copy);

// Sum of squares, in double over short runs of float.
template <typename T>
double SumOfSquares(const T* x, int64_t n);

}  // namespace ridgeline::rows
