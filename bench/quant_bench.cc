// SPDX-License-Identifier: Apache-2.0
// Fake quantization, forward and backward, against the same thing written in LibTorch operations, on one thread.
#include <cstdio>

#include "bench/report.h"
#include "fmt/format.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr int64_t kRows = 2048, kFeatures = 1024;
constexpr double kGoal = 20;

using Quantizer = at::Tensor (*)(const at::Tensor&, const QuantizerSpec&);

void ForwardBackward(Quantizer quantizer, const at::Tensor& x, const at::Tensor& v, const QuantizerSpec& spec) {
  torch::autograd::grad({quantizer(x, spec)}, {x}, {v});
}

BenchRow Measure(const QuantizerSpec& spec) {
  at::Tensor x = at::randn({kRows, kFeatures}).requires_grad_(true), v = at::randn({kRows, kFeatures});
  PairedSeconds seconds = MeasurePaired([&] { ForwardBackward(FakeQuantize, x, v, spec); },
                                        [&] { ForwardBackward(FakeQuantize_ref, x, v, spec); });
  const double to_ns = 1e9 / static_cast<double>(kRows * kFeatures);
  return {.work = fmt::format("{} {} {} block {} fp32", spec.estimator, SchemeName(spec.scheme), FormatName(spec.format), spec.block),
          .ours = seconds.ours * to_ns, .peer = seconds.peer * to_ns, .peer_name = "LibTorch operations",
          .higher_is_better = false, .goal = kGoal, .unit = "ns per element, forward + backward"};
}

int Run(const std::string& out_dir) {
  at::set_num_threads(1);
  std::vector<BenchRow> rows;
  for (const char* estimator : {"ridge", "ste"})
    for (auto [format, scheme] : {std::pair{Format::kInt1, Scheme::kAffine}, {Format::kInt4, Scheme::kAffine},
                                  {Format::kInt1, Scheme::kLinear}, {Format::kTernary, Scheme::kLinear}})
      rows.push_back(Measure({.estimator = estimator, .format = format, .scheme = scheme}));
  for (auto [estimator, scheme] : {std::pair{"quest", Scheme::kLinear}, {"ridge_trust", Scheme::kAffine}}) {
    QuantizerSpec spec{.estimator = estimator, .format = Format::kInt1, .scheme = scheme};
    spec.grid = GridStatistics::kGaussian;
    spec.grid_gradient = GridGradient::kDetached;
    rows.push_back(Measure(spec));
  }
  absl::Status status = Report(out_dir, "quant", rows);
  if (!status.ok()) fmt::print(stderr, "quant_bench: {}\n", std::string(status.message()));
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) { return ridgeline::Run(argc > 1 ? argv[1] : "out/bench"); }
