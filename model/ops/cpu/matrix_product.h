// SPDX-License-Identifier: Apache-2.0
// Products of matrices in float32 or bfloat16. Those of a few rows with a weight, as for a new token, take as long as
// the weight is read. LibTorch multiplies bfloat16 by AVX-512 BF16 or AMX; on other CPUs with AVX-512 it imitates those
// (three times slower than float32), and without AVX-512 it has a scalar loop (two orders of magnitude). There the
// products are float32's, of operands converted a panel at a time, so that no second copy of a large matrix exists.
#pragma once

#include <ATen/core/Tensor.h>

namespace ridgeline {

// Whether this CPU has instructions that multiply bfloat16.
bool HasBfloat16Products();

// a: (n, k), b: (k, m), of one dtype, in any strides -> (n, m) of that dtype.
at::Tensor MatrixProduct(const at::Tensor& a, const at::Tensor& b);

// out = a @ b and out += a @ b. out: (n, m) of the operands' dtype.
void MatrixProductInto(const at::Tensor& a, const at::Tensor& b, at::Tensor& out);
void AddMatrixProduct(const at::Tensor& a, const at::Tensor& b, at::Tensor& out);

// Two ways, whatever the CPU: out = a @ b or out += a @ b. out may be float32 beside bfloat16 operands. Sums are in
// float32 and rounded once. REQUIRES of DotProduct: IsReadByRows(b).
void PanelProduct(const at::Tensor& a, const at::Tensor& b, bool adds, at::Tensor& out);
void DotProduct(const at::Tensor& a, const at::Tensor& b, bool adds, at::Tensor& out);

// Whether b's columns are contiguous and follow each other: the transpose of a weight.
bool IsReadByRows(const at::Tensor& b);

}  // namespace ridgeline
