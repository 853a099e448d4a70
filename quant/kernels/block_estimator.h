// SPDX-License-Identifier: Apache-2.0
// The frame of an estimator's file: fixed-type functions around its block templates, compiled once for each instruction
// set, and the Estimator that dispatches to them. The block templates are
//   Forward(spec, x, n, scratch, x_hat) and Backward(spec, x, v, n, scratch, dx), with n numbers of scratch.
#pragma once

// Within HWY_NAMESPACE.
#define RIDGELINE_BLOCK_FUNCTIONS(Name, Forward, Backward)                                                       \
  void Name##ForwardF32(const QuantizerSpec& spec, const float* x, int64_t n, float* scratch, float* x_hat) {      \
    Forward(spec, x, n, scratch, x_hat);                                                                         \
  }                                                                                                              \
  void Name##ForwardF64(const QuantizerSpec& spec, const double* x, int64_t n, double* scratch, double* x_hat) {   \
    Forward(spec, x, n, scratch, x_hat);                                                                         \
  }                                                                                                              \
  void Name##BackwardF32(const QuantizerSpec& spec, const float* x, const float* v, int64_t n, float* scratch,     \
                         float* dx) {                                                                            \
    Backward(spec, x, v, n, scratch, dx);                                                                        \
  }                                                                                                              \
  void Name##BackwardF64(const QuantizerSpec& spec, const double* x, const double* v, int64_t n, double* scratch,  \
                         double* dx) {                                                                           \
    Backward(spec, x, v, n, scratch, dx);                                                                        \
  }

// Under HWY_ONCE, within namespace ridgeline: defines `const Estimator& NameEstimator()`.
#define RIDGELINE_BLOCK_ESTIMATOR(Name, name_in_recipes)                                                         \
  HWY_EXPORT(Name##ForwardF32);                                                                                  \
  HWY_EXPORT(Name##ForwardF64);                                                                                  \
  HWY_EXPORT(Name##BackwardF32);                                                                                 \
  HWY_EXPORT(Name##BackwardF64);                                                                                 \
  struct Name##Functions {                                                                                       \
    static constexpr std::string_view kName = name_in_recipes;                                                   \
    static BlockForward<float> ForwardF32() { return &HWY_DYNAMIC_DISPATCH(Name##ForwardF32); }                  \
    static BlockForward<double> ForwardF64() { return &HWY_DYNAMIC_DISPATCH(Name##ForwardF64); }                 \
    static BlockBackward<float> BackwardF32() { return &HWY_DYNAMIC_DISPATCH(Name##BackwardF32); }               \
    static BlockBackward<double> BackwardF64() { return &HWY_DYNAMIC_DISPATCH(Name##BackwardF64); }              \
  };                                                                                                             \
  const Estimator& Name##Estimator() {                                                                           \
    static const BlockwiseEstimator<Name##Functions> estimator;                                                  \
    return estimator;                                                                                            \
  }
