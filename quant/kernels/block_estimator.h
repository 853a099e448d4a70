// SPDX-License-Identifier: Apache-2.0
// The frame of an estimator's file: its block templates as kernels, compiled once for each instruction set, and the
// Estimator that dispatches to them. A block is one call, so that element types share its code.
#pragma once

// Within HWY_NAMESPACE, for block templates that have a grid (grid-inl.h) and know sparsity:
//   Forward(spec, grid, block, x_hat) and Backward(spec, grid, block, v, dx).
// Blocks without a grid are reproduced, and pass their gradient.
#define RIDGELINE_GRID_FUNCTIONS(Name, ForwardBlock, BackwardBlock)                                                   \
  template <typename T>                                                                                               \
  HWY_INLINE void Name##OntoGrid(const QuantizerSpec& spec, const Block<T>& block, T* x_hat) {                        \
    WithGrid(spec, block, [&](const Grid<T>& grid) RIDGELINE_ALWAYS_INLINE {                                          \
      if (grid.inverse_scale == T(0)) ReproduceTrustedBlock(block, x_hat);                                            \
      else ForwardBlock(spec, grid, block, x_hat);                                                                    \
    });                                                                                                               \
  }                                                                                                                   \
  template <typename T>                                                                                               \
  HWY_INLINE void Name##FromGrid(const QuantizerSpec& spec, const Block<T>& block, const T* v, T* dx) {               \
    WithGrid(spec, block, [&](const Grid<T>& grid) RIDGELINE_ALWAYS_INLINE {                                          \
      if (grid.inverse_scale == T(0)) PassGradient(block, v, dx);                                                     \
      else BackwardBlock(spec, grid, block, v, dx);                                                                   \
    });                                                                                                               \
  }                                                                                                                   \
  RIDGELINE_SPARSE_BLOCK_FUNCTIONS(Name, Name##OntoGrid, Name##FromGrid)

// For block templates that know sparsity:
//   Forward(spec, block, x_hat) and Backward(spec, block, v, dx).
#define RIDGELINE_SPARSE_BLOCK_FUNCTIONS(Name, ForwardBlock, BackwardBlock)                                           \
  struct Name##Blocks {                                                                                               \
    template <typename T>                                                                                             \
    static HWY_NOINLINE void Forward(const QuantizerSpec& spec, const Block<T>& block, T* x_hat) {                    \
      WithKnownShape(block, [&](const Block<T>& known) RIDGELINE_ALWAYS_INLINE { ForwardBlock(spec, known, x_hat); }); \
    }                                                                                                                 \
    template <typename T>                                                                                             \
    static HWY_NOINLINE void Backward(const QuantizerSpec& spec, const Block<T>& block, const T* v, T* dx) {          \
      WithKnownShape(block, [&](const Block<T>& known) RIDGELINE_ALWAYS_INLINE { BackwardBlock(spec, known, v, dx); }); \
    }                                                                                                                 \
  };                                                                                                                  \
  RIDGELINE_KERNEL_TABLE(Name)

// For those that do not, which ValidateQuantizerSpec keeps dense:
//   Forward(spec, x, n, scratch, x_hat) and Backward(spec, x, v, n, scratch, dx), with n numbers of scratch.
#define RIDGELINE_BLOCK_FUNCTIONS(Name, ForwardBlock, BackwardBlock)                                                  \
  struct Name##Blocks {                                                                                               \
    template <typename T>                                                                                             \
    static HWY_NOINLINE void Forward(const QuantizerSpec& spec, const Block<T>& block, T* x_hat) {                    \
      WithKnownShape(block, [&](const Block<T>& known) RIDGELINE_ALWAYS_INLINE {                                      \
        ForwardBlock(spec, known.x, known.n, known.scratch, x_hat);                                                   \
      });                                                                                                             \
    }                                                                                                                 \
    template <typename T>                                                                                             \
    static HWY_NOINLINE void Backward(const QuantizerSpec& spec, const Block<T>& block, const T* v, T* dx) {          \
      WithKnownShape(block, [&](const Block<T>& known) RIDGELINE_ALWAYS_INLINE {                                      \
        BackwardBlock(spec, known.x, v, known.n, known.scratch, dx);                                                  \
      });                                                                                                             \
    }                                                                                                                 \
  };                                                                                                                  \
  RIDGELINE_KERNEL_TABLE(Name)

#define RIDGELINE_KERNEL_TABLE(Name)                                                                                  \
  const KernelTable& Name##Kernels() {                                                                                \
    static constexpr KernelTable kernels = KernelTableOf<Name##Blocks>();                                             \
    return kernels;                                                                                                   \
  }

// Under HWY_ONCE, within namespace ridgeline: defines `const Estimator& NameEstimator()`.
#define RIDGELINE_BLOCK_ESTIMATOR(Name, name_in_recipes)                                                              \
  HWY_EXPORT(Name##Kernels);                                                                                          \
  const Estimator& Name##Estimator() {                                                                                \
    static const Estimator estimator(                                                                                 \
        name_in_recipes, +[]() -> const KernelTable& { return HWY_DYNAMIC_DISPATCH(Name##Kernels)(); });              \
    return estimator;                                                                                                 \
  }
