// SPDX-License-Identifier: Apache-2.0
// Sums over a block in the order of this machine's kernels (SumVectors, quant/kernels/lanes-inl.h), and so with their
// bits. As many operations one after the other as a lane adds numbers: for blocks and rows, not for whole tensors. No
// state; any thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace ridgeline {

// How many sums a pass of the kernels makes together, 1, 2 or 4: their order depends on it.
enum class SumsAtOnce { kOne = 1, kTwo = 2, kFour = 4 };

// Of each row of x (blocks, n) float32: (blocks, 1). REQUIRES: LanesOfSums() > 0, here and below.
at::Tensor SumOfTerms(const at::Tensor& x, SumsAtOnce at_once);
// Of a b, each product added with one rounding.
at::Tensor SumOfProducts(const at::Tensor& a, const at::Tensor& b, SumsAtOnce at_once);

// The mean, and the RMS about it: (blocks, 1) each.
struct BlockMoments {
  at::Tensor mean, rms;
};

// As MomentsAbout of quant/kernels/statistics-inl.h: about zero where not `centred`; `count` is n, or less where the
// rest of x (blocks, n) are zeros that do not count.
BlockMoments MomentsAbout(bool centred, const at::Tensor& x, int64_t count);
// The same of blocks of which `unrotated` is what they are rotated from by the Hadamard matrix.
BlockMoments MomentsOfRotated(bool centred, const at::Tensor& unrotated, const at::Tensor& x);

// Scales that are told apart from nothing and from infinity.
at::Tensor IsOrdinary(const at::Tensor& scale);
// 0 for a scale that is not.
at::Tensor InverseOrZero(const at::Tensor& scale);

}  // namespace ridgeline
