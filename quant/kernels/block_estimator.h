// SPDX-License-Identifier: Apache-2.0
// The frame of an estimator's file: its block templates as kernels, compiled once for each instruction set, and the
// table by which Estimator dispatches to them. A block is one call, so that element types share its code.
#pragma once

// Within HWY_NAMESPACE, for block templates:
//   Measure(spec, block), Forward(spec, measured, block, x_hat) and Backward(spec, measured, block, v, dx).
// What Measure finds out about a block is handed to the other two.
#define RIDGELINE_BLOCK_FUNCTIONS(Name, MeasureBlock, ForwardBlock, BackwardBlock) \
  RIDGELINE_FITTED_BLOCK_FUNCTIONS(Name, MeasureBlock, FitNothing, ForwardBlock, MeasureBlock, BackwardBlock)

// For those that are measured by their grid (grid-inl.h):
//   Forward(spec, grid, block, x_hat) and Backward(spec, grid, block, v, dx).
// Blocks without a grid are reproduced, and pass their gradient.
#define RIDGELINE_GRID_FUNCTIONS(Name, ForwardBlock, BackwardBlock)                                                    \
  template <typename T>                                                                                                \
  HWY_INLINE void Name##OntoGrid(const ResolvedSpec& spec, const Grid<T>& measured, const Block<T>& block, T* x_hat) { \
    if (measured.inverse_scale == T(0)) return ReproduceTrustedBlock(spec, block, x_hat);                              \
    WithGridKind(measured,                                                                                             \
                 [&](const Grid<T>& grid) RIDGELINE_ALWAYS_INLINE { ForwardBlock(spec, grid, block, x_hat); });        \
  }                                                                                                                    \
  template <typename T>                                                                                                \
  HWY_INLINE void Name##FromGrid(const ResolvedSpec& spec, const Grid<T>& measured, const Block<T>& block, const T* v, \
                                 T* dx) {                                                                              \
    if (measured.inverse_scale == T(0)) return PassGradient(block, v, dx);                                             \
    WithGridKind(measured,                                                                                             \
                 [&](const Grid<T>& grid) RIDGELINE_ALWAYS_INLINE { BackwardBlock(spec, grid, block, v, dx); });       \
  }                                                                                                                    \
  RIDGELINE_BLOCK_FUNCTIONS(Name, GridOf, Name##OntoGrid, Name##FromGrid)

// For those whose forward pass waits for sums over what is measured, in a step of their own:
//   Measure(spec, block), Fit(spec, block, &measured), Forward(spec, measured, block, x_hat);
//   Restore(spec, block), Backward(spec, measured, block, v, dx).
// Restore makes what Measure and Fit do of what the forward pass saved. A few blocks are measured together, and each is
// fitted before the one before it is written: others' sums are made while one's are waited for.
#define RIDGELINE_FITTED_BLOCK_FUNCTIONS(Name, MeasureBlock, FitBlock, ForwardBlock, RestoreBlock, BackwardBlock)      \
  struct Name##Blocks {                                                                                                \
    template <typename T>                                                                                              \
    static HWY_NOINLINE auto Measure(const ResolvedSpec& spec, const Block<T>& block) {                                \
      return WithKnownShape(block,                                                                                     \
                            [&](const Block<T>& known) RIDGELINE_ALWAYS_INLINE { return MeasureBlock(spec, known); }); \
    }                                                                                                                  \
    template <typename T, class Measured>                                                                              \
    static HWY_NOINLINE void Fit(const ResolvedSpec& spec, const Block<T>& block, Measured* measured) {                \
      WithKnownShape(block, [&](const Block<T>& known) RIDGELINE_ALWAYS_INLINE { FitBlock(spec, known, measured); });  \
    }                                                                                                                  \
    template <typename T, class Measured>                                                                              \
    static HWY_NOINLINE void Forward(const ResolvedSpec& spec, const Measured& measured, const Block<T>& block,        \
                                     T* x_hat) {                                                                       \
      WithKnownShape(                                                                                                  \
          block, [&](const Block<T>& known) RIDGELINE_ALWAYS_INLINE { ForwardBlock(spec, measured, known, x_hat); });  \
    }                                                                                                                  \
    template <typename T>                                                                                              \
    static HWY_NOINLINE auto Restore(const ResolvedSpec& spec, const Block<T>& block) {                                \
      return WithKnownShape(block,                                                                                     \
                            [&](const Block<T>& known) RIDGELINE_ALWAYS_INLINE { return RestoreBlock(spec, known); }); \
    }                                                                                                                  \
    template <typename T, class Measured>                                                                              \
    static HWY_NOINLINE void Backward(const ResolvedSpec& spec, const Measured& measured, const Block<T>& block,       \
                                      const T* v, T* dx) {                                                             \
      WithKnownShape(                                                                                                  \
          block, [&](const Block<T>& known) RIDGELINE_ALWAYS_INLINE { BackwardBlock(spec, measured, known, v, dx); }); \
    }                                                                                                                  \
  };                                                                                                                   \
  RIDGELINE_KERNEL_TABLE(Name)

#define RIDGELINE_KERNEL_TABLE(Name)                                      \
  const KernelTable& Name##Kernels() {                                    \
    static constexpr KernelTable kernels = KernelTableOf<Name##Blocks>(); \
    return kernels;                                                       \
  }

// Under HWY_ONCE, within namespace ridgeline: exports the kernels to the row of that name (method/estimator_rows.inc).
#define RIDGELINE_BLOCK_ESTIMATOR(Name) \
  HWY_EXPORT(Name##Kernels);            \
  const KernelTable& Name##KernelTable() { return HWY_DYNAMIC_DISPATCH(Name##Kernels)(); }
