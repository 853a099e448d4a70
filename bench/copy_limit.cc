// SPDX-License-Identifier: Apache-2.0
#include "bench/copy_limit.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "method/resolved_spec.h"

namespace ridgeline {
namespace {

double BestSecondsOf(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  constexpr int kRounds = 20;
  std::chrono::duration<double> best = std::chrono::hours(1);
  for (int round = 0; round < kRounds; ++round) {
    const Clock::time_point begin = Clock::now();
    work();
    best = std::min<std::chrono::duration<double>>(best, Clock::now() - begin);
  }
  return best.count();
}

}  // namespace

double ForwardBytes(NumberBytes number) { return number.x + number.v; }

double BackwardBytes(const QuantizerSpec& spec, int64_t features, NumberBytes number) {
  if (PassesGradient(spec)) return 0;
  const double saved = 2 * static_cast<double>(SavedBytes(spec, features)) / static_cast<double>(features);
  return 2 * number.v + (PassesTrustedGradient(spec) ? 0 : number.x) + saved;
}

double CopyBandwidth(int64_t rows, int64_t features, at::ScalarType type) {
  const at::Tensor from = at::randn({rows, features}).to(type);
  at::Tensor to = at::empty_like(from);
  return 2 * static_cast<double>(from.nbytes()) / BestSecondsOf([&] { to.copy_(from); });
}

double InPlaceBandwidth(int64_t rows, int64_t features, at::ScalarType type) {
  at::Tensor numbers = at::randn({rows, features}).to(type);
  return 2 * static_cast<double>(numbers.nbytes()) / BestSecondsOf([&] { numbers.neg_(); });
}

double ReadBandwidth() {
  constexpr int64_t kNumbers = int64_t{1} << 27;  // 512 MiB
  const at::Tensor numbers = at::ones({kNumbers}, at::kFloat);
  at::Tensor sum = at::empty({}, at::kFloat);
  return static_cast<double>(numbers.nbytes()) / BestSecondsOf([&] { at::sum_out(sum, numbers, at::IntArrayRef{0}); });
}

}  // namespace ridgeline
