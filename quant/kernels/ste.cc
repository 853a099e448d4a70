// SPDX-License-Identifier: Apache-2.0
// Straight-through estimator: x_hat = scale q + offset with the grid's own numbers, gradient passed as it comes, to
// pruned numbers as well. With the grid in the graph, x_hat = x + scale delta, so dL/dscale = <v, delta> is what the
// statistics receive.
#include "quant/kernels/kernel_table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/ste.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/block_estimator.h"
#include "quant/kernels/blockwise-inl.h"
#include "quant/kernels/grid_gradient-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

template <typename T>
HWY_INLINE void SteBackward(const ResolvedSpec& spec, const Grid<T>& grid, const Block<T>& block, const T* v, T* dx) {
  Copy(v, block.n, dx);
  if (spec.grid_gradient == GridGradient::kDetached) return;
  const Encoder<T> encoder(grid, block);
  T d_scale[1];
  SumVectors(block.n, d_scale, [&](auto d, int64_t i, auto& sum) HWY_ATTR {
    const auto f = GridValue(d, grid, block.x_kept + i), delta = hn::Sub(encoder.Codes(d, i, f), f);
    sum[0] = hn::MulAdd(hn::LoadU(d, v + i), delta, sum[0]);
  });
  AddGridGradient(spec, block, GridGradients<T>{d_scale[0], T(0)}, dx);
}

RIDGELINE_GRID_FUNCTIONS(Ste, RoundOntoGrid, SteBackward)

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
RIDGELINE_BLOCK_ESTIMATOR(Ste)
}  // namespace ridgeline
#endif  // HWY_ONCE
