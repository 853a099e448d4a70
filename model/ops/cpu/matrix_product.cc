// SPDX-License-Identifier: Apache-2.0
#include "model/ops/cpu/matrix_product.h"

#include <algorithm>

#include "model/kernels/dots.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// Of a panel that is converted at once: 64 MiB in float32.
constexpr int64_t kPanelElements = int64_t{16} << 20;

// Products of so many rows, with a matrix that is read by rows, are made of dot products: of a few because nothing is
// faster than reading the matrix once, and, where bfloat16 has to be widened, of more, which panels would have to pay
// off.
constexpr int64_t kMostRowsOfDots = 4, kMostRowsOfWidenedDots = 63;

constexpr int64_t kProductsPerThread = 1 << 16;  // At least.

// Calls panel(begin, count) for runs of `total`, each of at most kPanelElements / `elements` and of one at least.
template <typename Function>
void ForPanels(int64_t total, int64_t elements, const Function& panel) {
  const int64_t size = std::max<int64_t>(1, kPanelElements / std::max<int64_t>(1, elements));
  for (int64_t begin = 0; begin < total; begin += size) panel(begin, std::min(size, total - begin));
}

// out (+)= product, rounded once.
void Store(const at::Tensor& product, bool adds, at::Tensor out) {
  if (adds)
    out.copy_(at::add(product, out));
  else
    out.copy_(product);
}

// Whether operands are multiplied as float32.
bool IsWidened(const at::Tensor& a) { return a.scalar_type() == at::kBFloat16 && !HasBfloat16Products(); }

bool IsByDots(const at::Tensor& a, const at::Tensor& b) {
  return a.size(0) <= (IsWidened(a) ? kMostRowsOfWidenedDots : kMostRowsOfDots) && IsReadByRows(b);
}

// out = a @ b or out += a @ b.
void MultiplyInto(const at::Tensor& a, const at::Tensor& b, bool adds, at::Tensor& out) {
  if (IsByDots(a, b))
    DotProduct(a, b, adds, out);
  else if (IsWidened(a))
    PanelProduct(a, b, adds, out);
  else if (adds)
    out.addmm_(a, b);
  else
    at::mm_out(out, a, b);
}

// x: (n, k) in float32, weights: (m, k) -> product: (n, m)
template <typename T>
void Dots(const at::Tensor& x, const T* weights, at::Tensor& product) {
  const int64_t n = x.size(0), k = x.size(1), m = product.size(1);
  const float* numbers = x.const_data_ptr<float>();
  float* out = product.mutable_data_ptr<float>();
  const int64_t columns_per_thread = 1 + kProductsPerThread / std::max<int64_t>(1, n * k);
  at::parallel_for(0, m, columns_per_thread, [&](int64_t begin, int64_t end) {
    rows::DotRows(numbers, n, weights + begin * k, end - begin, k, out + begin, m);
  });
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

bool IsReadByRows(const at::Tensor& b) { return b.stride(0) == 1 && b.stride(1) == b.size(0); }

void DotProduct(const at::Tensor& a, const at::Tensor& b, bool adds, at::Tensor& out) {
  const at::Tensor x = a.to(at::kFloat).contiguous();  // (n, k)
  at::Tensor product = at::empty({a.size(0), b.size(1)}, x.options());
  if (b.scalar_type() == at::kBFloat16)
    Dots(x, reinterpret_cast<const rows::Bfloat16*>(b.const_data_ptr<at::BFloat16>()), product);
  else
    Dots(x, b.const_data_ptr<float>(), product);
  Store(product, adds, out);
}

at::Tensor MatrixProduct(const at::Tensor& a, const at::Tensor& b) {
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  MultiplyInto(a, b, /*adds=*/false, out);
  return out;
}

void MatrixProductInto(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) {
  MultiplyInto(a, b, /*adds=*/false, out);
}

void AddMatrixProduct(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) {
  MultiplyInto(a, b, /*adds=*/true, out);
}

}  // namespace ridgeline
