// SPDX-License-Identifier: Apache-2.0
// The frame of an estimator's file: its block templates as kernels, compiled once for each instruction set, and the
// Estimator that dispatches to them. A block is one call, so that element types share its code.
#pragma once

// Within HWY_NAMESPACE, for block templates that know sparsity:
//   Forward(spec, block, x_hat) and Backward(spec, block, v, dx).
#define RIDGELINE_SPARSE_BLOCK_FUNCTIONS(Name, ForwardBlock, BackwardBlock)                              \
  struct Name##Blocks {                                                                                  \
    template <typename T>                                                                                \
    static HWY_NOINLINE void Forward(const QuantizerSpec& spec, const Block<T>& block, T* x_hat) {         \
      ForwardBlock(spec, block, x_hat);                                                                  \
    }                                                                                                    \
    template <typename T>                                                                                \
    static HWY_NOINLINE void Backward(const QuantizerSpec& spec, const Block<T>& block, const T* v, T* dx) { \
      BackwardBlock(spec, block, v, dx);                                                                 \
    }                                                                                                    \
  };                                                                                                     \
  RIDGELINE_KERNEL_TABLE(Name)

// For those that do not, which ValidateQuantizerSpec keeps dense:
//   Forward(spec, x, n, scratch, x_hat) and Backward(spec, x, v, n, scratch, dx), with n numbers of scratch.
#define RIDGELINE_BLOCK_FUNCTIONS(Name, ForwardBlock, BackwardBlock)                                     \
  struct Name##Blocks {                                                                                  \
    template <typename T>                                                                                \
    static HWY_NOINLINE void Forward(const QuantizerSpec& spec, const Block<T>& block, T* x_hat) {         \
      ForwardBlock(spec, block.x, block.n, block.scratch, x_hat);                                        \
    }                                                                                                    \
    template <typename T>                                                                                \
    static HWY_NOINLINE void Backward(const QuantizerSpec& spec, const Block<T>& block, const T* v, T* dx) { \
      BackwardBlock(spec, block.x, v, block.n, block.scratch, dx);                                       \
    }                                                                                                    \
  };                                                                                                     \
  RIDGELINE_KERNEL_TABLE(Name)

#define RIDGELINE_KERNEL_TABLE(Name)                                          \
  const KernelTable& Name##Kernels() {                                        \
    static constexpr KernelTable kernels = KernelTableOf<Name##Blocks>();     \
    return kernels;                                                           \
  }

// Under HWY_ONCE, within namespace ridgeline: defines `const Estimator& NameEstimator()`.
#define RIDGELINE_BLOCK_ESTIMATOR(Name, name_in_recipes)                                                      \
  HWY_EXPORT(Name##Kernels);                                                                                  \
  const Estimator& Name##Estimator() {                                                                        \
    static const Estimator estimator(                                                                         \
        name_in_recipes, +[]() -> const KernelTable& { return HWY_DYNAMIC_DISPATCH(Name##Kernels)(); });      \
    return estimator;                                                                                         \
  }
