// SPDX-License-Identifier: Apache-2.0
#include "bench/cached_kernel.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "method/resolved_spec.h"
#include "quant/kernels/estimator.h"
#include "quant/kernels/trust.h"

namespace ridgeline {
namespace {

constexpr int64_t kFeatures = 1024;  // Four tensors of a row take 16 KiB.
constexpr int kRounds = 50, kCalls = 200;

template <class Function>
double LeastNanoseconds(const Function& function) {
  using Clock = std::chrono::steady_clock;
  double least = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kRounds; ++round) {
    const Clock::time_point begin = Clock::now();
    for (int call = 0; call < kCalls; ++call) function();
    least = std::min(least, std::chrono::duration<double, std::nano>(Clock::now() - begin).count());
  }
  return least / (kCalls * kFeatures);
}

// X is the element as kernels name it.
template <typename X>
CachedNanoseconds MeasureRow(const QuantizerSpec& spec, at::ScalarType type) {
  const auto row = [type] { return at::randn({kFeatures}).to(type); };
  const at::Tensor x = row(), v = row(), x_hat = row(), dx = row();
  const at::Tensor saved = at::zeros({SavedBytes(spec, kFeatures)}, at::kByte);
  const auto data = [](const at::Tensor& tensor) { return static_cast<X*>(tensor.data_ptr()); };
  auto* kept = static_cast<uint8_t*>(saved.data_ptr());
  const Estimator& estimator = **EstimatorFor(spec);
  CachedNanoseconds time;
  time.forward = LeastNanoseconds([&] { estimator.Forward(spec, data(x), 1, kFeatures, data(x_hat), kept); });
  if (PassesTrustedGradient(spec))
    time.backward = LeastNanoseconds([&] { PassTrusted(spec, kept, data(v), 1, kFeatures, data(dx)); });
  else if (!PassesGradient(spec))
    time.backward = LeastNanoseconds([&] { estimator.Backward(spec, data(x), kept, data(v), 1, kFeatures, data(dx)); });
  return time;
}

}  // namespace

CachedNanoseconds MeasureCached(const QuantizerSpec& spec, at::ScalarType type) {
  return type == at::kFloat ? MeasureRow<float>(spec, type) : MeasureRow<BFloat16>(spec, type);
}

}  // namespace ridgeline
