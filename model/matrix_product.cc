// SPDX-License-Identifier: Apache-2.0
#include "model/matrix_product.h"

#include <algorithm>

#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// Of a panel that is converted at once: 64 MiB in float32.
constexpr int64_t kPanelElements = int64_t{16} << 20;

// Where LibTorch imitates the instructions, products with a shorter dimension are left to it: converting the largest
// operand takes as long as it saves. On an Intel Xeon with AVX-512 panels are 0.1 to 0.6 times as fast by one row and a
// large matrix, 0.6 to 2.9 by 32 and 1.2 to 3.2 by 64.
constexpr int64_t kShortestForPanels = 64;

bool ImitatesBfloat16Products() {
#if defined(__x86_64__)
  static const bool imitates = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return imitates;
#else
  return false;
#endif
}

bool ByPanels(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != at::kBFloat16 || HasBfloat16Products()) return false;
  return !ImitatesBfloat16Products() || std::min({a.size(0), a.size(1), b.size(1)}) >= kShortestForPanels;
}

// Calls panel(begin, count) for runs of `total`, each of at most kPanelElements / `elements` and of one at least.
template <typename Function>
void ForPanels(int64_t total, int64_t elements, const Function& panel) {
  const int64_t size = std::max<int64_t>(1, kPanelElements / std::max<int64_t>(1, elements));
  for (int64_t begin = 0; begin < total; begin += size) panel(begin, std::min(size, total - begin));
}

// out (+)= product, rounded once.
void Store(const at::Tensor& product, bool adds, at::Tensor out) {
  if (adds) out.copy_(at::add(product, out));
  else out.copy_(product);
}

}  // namespace

bool HasBfloat16Products() {
#if defined(__x86_64__)
  static const bool has = __builtin_cpu_supports("avx512bf16");
  return has;
#else
  return true;
#endif
}

// The longest of the three dimensions is cut: rows of a large gradient, columns of logits, or what is summed over.
void PanelProduct(const at::Tensor& a, const at::Tensor& b, bool adds, at::Tensor& out) {
  const int64_t n = a.size(0), k = a.size(1), m = b.size(1);
  if (n >= std::max(k, m)) {
    const at::Tensor right = b.to(at::kFloat);
    ForPanels(n, std::max(k, m), [&](int64_t begin, int64_t count) {
      Store(at::mm(a.narrow(0, begin, count).to(at::kFloat), right), adds, out.narrow(0, begin, count));
    });
  } else if (m >= k) {
    const at::Tensor left = a.to(at::kFloat);
    ForPanels(m, std::max(n, k), [&](int64_t begin, int64_t count) {
      Store(at::mm(left, b.narrow(1, begin, count).to(at::kFloat)), adds, out.narrow(1, begin, count));
    });
  } else {
    at::Tensor sum = at::zeros({n, m}, at::kFloat);
    ForPanels(k, std::max(n, m), [&](int64_t begin, int64_t count) {
      sum.addmm_(a.narrow(1, begin, count).to(at::kFloat), b.narrow(0, begin, count).to(at::kFloat));
    });
    Store(sum, adds, out);
  }
}

at::Tensor MatrixProduct(const at::Tensor& a, const at::Tensor& b) {
  if (!ByPanels(a, b)) return at::mm(a, b);
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  PanelProduct(a, b, /*adds=*/false, out);
  return out;
}

void MatrixProductInto(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) {
  if (ByPanels(a, b)) PanelProduct(a, b, /*adds=*/false, out);
  else at::mm_out(out, a, b);
}

void AddMatrixProduct(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) {
  if (ByPanels(a, b)) PanelProduct(a, b, /*adds=*/true, out);
  else out.addmm_(a, b);
}

}  // namespace ridgeline
