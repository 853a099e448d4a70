// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/estimator_ref.h"

#include <algorithm>
#include <cmath>

#include "method/estimator_traits.h"
#include "method/hadamard_sign.h"
#include "method/resolved_spec.h"

namespace ridgeline {
namespace {

using Vector = std::vector<double>;

// REQUIRES: the spec quantizes, and is valid.
const EstimatorTraits& TraitsOf(const QuantizerSpec& spec) { return *FindEstimatorTraits(spec.estimator); }

struct PlainGrid {
  double scale, offset, lowest, highest, shift;
  bool is_sign;
};

double Mean(const Vector& x) {
  double sum = 0;
  for (double value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

// Sums run over what is kept of a sparse block: the rest of x is zeros.
double KeptCount(const QuantizerSpec& spec, const Vector& x) {
  return static_cast<double>(x.size()) * spec.sparsity.kept_fraction();
}

PlainGrid GaussianGridOf(const QuantizerSpec& spec, const Vector& x) {
  int bits = IntegerBits(spec.format);
  bool affine = spec.scheme == Scheme::kAffine;
  double mean = affine ? Mean(x) : 0, squares = 0;
  for (double value : x) squares += (value - mean) * (value - mean);
  double extent = GaussianExtent(spec.format) * std::sqrt(squares / KeptCount(spec, x));
  double levels = std::pow(2.0, bits) - 1;
  if (affine) return {2 * extent / levels, mean - extent, 0, levels, 0, false};
  if (bits <= 1) return {extent, 0, -1, 1, 0, bits == 1};
  return {2 * extent / levels, 0, -levels / 2, levels / 2, 0.5, false};
}

PlainGrid PlainGridOf(const QuantizerSpec& spec, const Vector& x) {
  if (spec.grid == GridStatistics::kGaussian) return GaussianGridOf(spec, x);
  int bits = IntegerBits(spec.format);
  if (spec.scheme == Scheme::kAffine) {
    auto [smallest, largest] = std::minmax_element(x.begin(), x.end());
    double levels = std::pow(2.0, bits) - 1;
    return {(*largest - *smallest) / levels, *smallest, 0, levels, 0, false};
  }
  double sum = 0, largest = 0;
  for (double value : x) {
    sum += std::abs(value);
    largest = std::max(largest, std::abs(value));
  }
  double mean = sum / KeptCount(spec, x);
  if (spec.format == Format::kInt1) return {mean, 0, -1, 1, 0, true};
  if (spec.format == Format::kTernary) return {mean, 0, -1, 1, 0, false};
  double highest = std::pow(2.0, bits - 1) - 0.5;
  return {largest / highest, 0, -highest, highest, 0.5, false};
}

Vector CodesOf(const PlainGrid& grid, const Vector& x) {
  Vector q;
  for (double value : x) {
    double f = (value - grid.offset) / grid.scale;
    double nearest = std::clamp(std::nearbyint(f - grid.shift) + grid.shift, grid.lowest, grid.highest);
    q.push_back(grid.is_sign ? (value < 0 ? -1 : 1) : nearest);
  }
  return q;
}

// The paper's g: dequantizes q by a ridge regression of x on it, over one block.
Vector RidgeOf(const QuantizerSpec& spec, const Vector& x, const Vector& q) {
  bool affine = spec.scheme == Scheme::kAffine;
  double q_mean = affine ? Mean(q) : 0, x_mean = affine ? Mean(x) : 0, xq = 0, qq = 0;
  double n = static_cast<double>(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    xq += (x[i] - x_mean) * (q[i] - q_mean) / n;
    qq += (q[i] - q_mean) * (q[i] - q_mean) / n;
  }
  Vector x_hat;
  for (double code : q) x_hat.push_back(xq / (qq + spec.lambda) * (code - q_mean) + x_mean);
  return x_hat;
}

// True for the n largest of each m, by sorting; of equals for the first.
std::vector<bool> KeptOf(const SparsityPattern& sparsity, const Vector& x) {
  std::vector<bool> kept(x.size(), !sparsity.is_sparse());
  if (!sparsity.is_sparse()) return kept;
  const auto m = static_cast<size_t>(sparsity.m);
  for (size_t begin = 0; begin < x.size(); begin += m) {
    std::vector<size_t> order(m);
    for (size_t i = 0; i < m; ++i) order[i] = begin + i;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return std::abs(x[a]) > std::abs(x[b]); });
    for (size_t i = 0; i < static_cast<size_t>(sparsity.n); ++i) kept[order[i]] = true;
  }
  return kept;
}

// What stays still while x moves: what pruning took away, the grid of a detached spec, the rounding noise, and the
// codes that are not trusted.
struct Frozen {
  PlainGrid grid;
  Vector pruning, codes, delta;
  std::vector<bool> trusted;
};

Vector Sum(Vector a, const Vector& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

Frozen FreezeAt(const QuantizerSpec& spec, const Vector& x) {
  const std::vector<bool> kept = KeptOf(spec.sparsity, x);
  Frozen frozen{};
  for (size_t i = 0; i < x.size(); ++i) frozen.pruning.push_back(kept[i] ? 0 : -x[i]);
  const Vector x_kept = Sum(x, frozen.pruning);
  frozen.grid = PlainGridOf(spec, x_kept);
  frozen.codes = CodesOf(frozen.grid, x_kept);
  const TrustMask mask = TraitsOf(spec).mask;
  double centre = (frozen.grid.lowest + frozen.grid.highest) / 2;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!kept[i]) frozen.codes[i] = 0;
    double f = (x[i] - frozen.grid.offset) / frozen.grid.scale;
    frozen.delta.push_back(frozen.codes[i] - (kept[i] ? f : 0));
    const bool is_clipped_sign = mask == TrustMask::kUnclipped && frozen.grid.is_sign;
    double half_step =
        mask != TrustMask::kUnclipped && spec.format == Format::kInt1 ? frozen.grid.highest - centre : 0.5;
    const double width = is_clipped_sign ? 1 : mask == TrustMask::kTrusted ? Resolve(spec).trust : 0;
    bool is_near = width > 0 && kept[i] ? std::abs(f - centre) <= width * (frozen.grid.highest - centre)
                                        : std::abs(frozen.codes[i] - f) <= half_step;
    frozen.trusted.push_back(mask == TrustMask::kNone || is_near);
  }
  return frozen;
}

// H x by its definition.
Vector Rotate(const Vector& x) {
  Vector y(x.size(), 0);
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = 0; j < x.size(); ++j) y[i] += __builtin_parityll(i & j) ? -x[j] : x[j];
  for (double& value : y) value /= std::sqrt(static_cast<double>(x.size()));
  return y;
}

// D x, the signs of a block at the beginning of its row.
Vector FlipSigns(const QuantizerSpec& spec, Vector x) {
  for (size_t i = 0; spec.hadamard_signs && i < x.size(); ++i) x[i] *= HadamardSign(static_cast<int64_t>(i));
  return x;
}

// With the fit held still as it is at `at`, x_hat follows x itself where that is trusted.
Vector FollowTrusted(Vector x_hat, const Vector& x, const Vector& at, const Frozen& frozen) {
  for (size_t i = 0; i < x.size(); ++i)
    if (frozen.trusted[i]) x_hat[i] += x[i] - at[i];
  return x_hat;
}

// One block: q = f(x) + delta where that is trusted.
Vector DequantizeRotated(const QuantizerSpec& spec, const Vector& x, const Frozen& frozen) {
  const Vector x_kept = Sum(x, frozen.pruning);
  PlainGrid grid = spec.grid_gradient == GridGradient::kGraph ? PlainGridOf(spec, x_kept) : frozen.grid;
  Vector q;
  for (size_t i = 0; i < x.size(); ++i)
    q.push_back(frozen.trusted[i] ? (x_kept[i] - grid.offset) / grid.scale + frozen.delta[i] : frozen.codes[i]);
  if (TraitsOf(spec).decoding == Decoding::kRidge) return RidgeOf(spec, x, q);
  Vector x_hat;
  for (double code : q) x_hat.push_back(code * grid.scale + grid.offset);
  return x_hat;
}

Vector DequantizeBlock(const QuantizerSpec& spec, const Vector& x, const Vector& at) {
  const Frozen frozen = FreezeAt(spec, at);
  if (TraitsOf(spec).decoding == Decoding::kGrid || !Resolve(spec).is_fit_detached)
    return DequantizeRotated(spec, x, frozen);
  return FollowTrusted(DequantizeRotated(spec, at, frozen), x, at, frozen);
}

}  // namespace

Vector Dequantize_ref(const QuantizerSpec& spec, const Vector& x, const Vector& at) {
  if (!spec.hadamard) return DequantizeBlock(spec, x, at);
  auto rotate = [&](const Vector& numbers) { return Rotate(FlipSigns(spec, numbers)); };
  const Vector x_hat = DequantizeBlock(spec, rotate(x), rotate(at));
  return spec.stays_rotated ? x_hat : FlipSigns(spec, Rotate(x_hat));
}

Vector NumericalGradient_ref(const QuantizerSpec& spec, const Vector& x, const Vector& v) {
  Vector gradient;
  auto loss = [&](const Vector& moved) {
    Vector x_hat = Dequantize_ref(spec, moved, x);
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += v[i] * x_hat[i];
    return sum;
  };
  const double h = 1e-6;
  for (size_t i = 0; i < x.size(); ++i) {
    Vector up = x, down = x;
    up[i] += h;
    down[i] -= h;
    gradient.push_back((loss(up) - loss(down)) / (2 * h));
  }
  return gradient;
}

}  // namespace ridgeline
