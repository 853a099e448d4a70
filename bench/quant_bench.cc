// SPDX-License-Identifier: Apache-2.0
// Fake quantization, forward and backward, against the same thing written in LibTorch operations, on one thread: every
// estimator that recipes offer, in the formats that they are used with.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <vector>

#include "bench/cached_kernel.h"
#include "bench/copy_limit.h"
#include "bench/report.h"
#include "fmt/format.h"
#include "method/every_spec.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/learned_scale.h"
#include "quant/autograd/torch_pch.h"
#include "quant/kernels/estimator.h"
#include "quant/kernels/learned_scale.h"

namespace ridgeline {
namespace {

constexpr int64_t kRows = 2048, kFeatures = 1024;
constexpr double kGoal = 20;

// The two implementations of a spec, and what both differentiate in.
struct Sides {
  std::function<at::Tensor()> ours, peer;
  std::vector<at::Tensor> leaves;
};

// The noise of gaussws and diffq from LibTorch's generator; its twin draws it by the kernel itself.
at::Tensor NoisyInOperations(const at::Tensor& x, const QuantizerSpec& spec) {
  const at::Tensor blocks = x.reshape({-1, spec.block}), still = blocks.detach();
  const double levels = std::exp2(IntegerBits(spec.format));
  at::Tensor noise = at::randn_like(still) / 2, step;  // (blocks, 1)
  if (spec.scheme == Scheme::kLinear) {
    noise = noise.round();
    step = std::get<0>(still.abs().max(1, true)) / (levels / 2);
  } else {
    step = (std::get<0>(still.max(1, true)) - std::get<0>(still.min(1, true))) / (levels - 1);
  }
  return (blocks + noise * step).reshape(x.sizes());
}

Sides SidesOfLearned(const QuantizerSpec& spec, const at::Tensor& x) {
  const at::Tensor scale = InitialScale(x, spec).requires_grad_(true);  // (rows, 1)
  return {[=] { return FakeQuantizeLearned(x, scale, spec, kRows * kFeatures); },
          [=] { return FakeQuantizeLearned_ref(x, scale.to(x.scalar_type()), spec, kRows * kFeatures); },
          {x, scale}};
}

Sides SidesOf(const QuantizerSpec& spec, const at::Tensor& x) {
  if (LearnedLevelsOf(spec).ok()) return SidesOfLearned(spec, x);
  const auto peer = spec.adds_noise() ? NoisyInOperations : FakeQuantize_ref;
  return {[=] { return FakeQuantize(x, spec); }, [=] { return peer(x, spec); }, {x}};
}

std::string NameOf(const QuantizerSpec& spec, at::ScalarType type) {
  std::string name = fmt::format("{} {} {}", spec.estimator, SchemeName(spec.scheme), FormatName(spec.format));
  if (spec.hadamard) name += spec.stays_rotated ? " rotated" : " hadamard";
  if (spec.sparsity.is_sparse()) name += fmt::format(" {}:{}", spec.sparsity.n, spec.sparsity.m);
  return name + (type == at::kBFloat16 ? " bf16" : " fp32");
}

BenchRow Measure(const QuantizerSpec& spec, at::ScalarType type, double copy_bandwidth) {
  const at::Tensor v = at::randn({kRows, kFeatures}).to(type);
  const Sides sides = SidesOf(spec, at::randn({kRows, kFeatures}).to(type).requires_grad_(true));
  PairedSeconds seconds = MeasurePaired([&] { torch::autograd::grad({sides.ours()}, sides.leaves, {v}); },
                                        [&] { torch::autograd::grad({sides.peer()}, sides.leaves, {v}); });
  const double to_ns = 1e9 / static_cast<double>(kRows * kFeatures);
  const auto element = static_cast<double>(c10::elementSize(type));
  const double bytes = ForwardBytes({element, element}) + BackwardBytes(spec, kFeatures, {element, element});
  return {.work = NameOf(spec, type),
          .ours = seconds.ours * to_ns,
          .peer = seconds.peer * to_ns,
          .peer_name = "LibTorch operations",
          .limit = bytes / copy_bandwidth * 1e9,
          .higher_is_better = false,
          .goal = kGoal,
          .unit = "ns per element, forward + backward"};
}

void PrintBandwidths(const std::vector<BenchRow>& rows, double copy_bandwidth) {
  fmt::print("a copy moves {:.1f} GB/s\n", copy_bandwidth / 1e9);
  for (const BenchRow& row : rows)
    fmt::print("{:<44} {:>6.1f} GB/s, {:>3.0f}% of a copy, whose speed would be {:.0f}x\n", row.work,
               copy_bandwidth / 1e9 * row.limit / row.ours, 100 * row.limit / row.ours, row.peer / row.limit);
}

// And as training has those of them that are rotated: left rotated.
void PrintCached(at::ScalarType type, const std::vector<QuantizerSpec>& specs) {
  for (QuantizerSpec spec : specs) {
    if (!EstimatorFor(spec).ok()) continue;  // A learned scale.
    for (bool stays_rotated : spec.hadamard ? std::vector<bool>{false, true} : std::vector<bool>{false}) {
      spec.stays_rotated = stays_rotated;
      const CachedNanoseconds time = MeasureCached(spec, type);
      fmt::print("{:<44} {:>6.2f} ns per element in the innermost cache: {:.2f} forward, {:.2f} backward\n",
                 NameOf(spec, type), time.forward + time.backward, time.forward, time.backward);
    }
  }
}

// The matched study's.
std::vector<QuantizerSpec> OurSpecs() {
  std::vector<QuantizerSpec> specs;
  for (const char* estimator : {"ridge", "ste"})
    for (auto [format, scheme] : {std::pair{Format::kInt1, Scheme::kAffine},
                                  {Format::kInt4, Scheme::kAffine},
                                  {Format::kInt1, Scheme::kLinear},
                                  {Format::kTernary, Scheme::kLinear}})
      specs.push_back({.estimator = estimator, .format = format, .scheme = scheme});
  for (auto [estimator, scheme] : {std::pair{"quest", Scheme::kLinear}, {"ridge_trust", Scheme::kAffine}})
    for (bool hadamard : {false, true})
      for (Format format : {Format::kInt1, Format::kInt4})
        specs.push_back({.estimator = estimator,
                         .format = format,
                         .scheme = scheme,
                         .grid = GridStatistics::kGaussian,
                         .hadamard = hadamard});
  specs.push_back({.estimator = "ridge", .format = Format::kInt4, .scheme = Scheme::kLinear, .sparsity = {2, 4}});
  return specs;
}

// What others published, blocks of 128 like ours; the learned scales are those of rows, as for weights.
std::vector<QuantizerSpec> PublishedSpecs() {
  std::vector<QuantizerSpec> specs = {
      {.estimator = "ste_clip", .format = Format::kInt4, .scheme = Scheme::kAffine},
      {.estimator = "ste_clip", .format = Format::kInt1, .scheme = Scheme::kLinear},
      {.estimator = "bitnet_b1", .format = Format::kInt1, .scheme = Scheme::kLinear},
      {.estimator = "bitnet", .format = Format::kTernary, .scheme = Scheme::kLinear},
      {.estimator = "bitnet", .format = Format::kInt8, .scheme = Scheme::kLinear},
      {.estimator = "bitnet_reloaded", .format = Format::kTernary, .scheme = Scheme::kLinear},
      {.estimator = "bi_adapter", .format = Format::kInt1, .grid_gradient = GridGradient::kGraph},
      {.estimator = "torchao", .format = Format::kInt4, .scheme = Scheme::kLinear},
      {.estimator = "torchao", .format = Format::kInt8, .scheme = Scheme::kAffine},
      {.estimator = "gaussws", .format = Format::kInt4, .scheme = Scheme::kLinear},
      {.estimator = "diffq", .format = Format::kInt4, .scheme = Scheme::kAffine}};
  for (auto [estimator, format] : {std::pair{"lsq", Format::kInt4},
                                   {"paretoq", Format::kInt1},
                                   {"paretoq", Format::kInt2},
                                   {"post", Format::kInt4}})
    specs.push_back(
        {.estimator = estimator, .format = format, .scheme = Scheme::kLinear, .granularity = Granularity::kRow});
  return specs;
}

// A row of the table that neither has: in one of the formats that it accepts.
std::vector<QuantizerSpec> OthersThan(const std::vector<QuantizerSpec>& known) {
  std::vector<QuantizerSpec> others;
  for (const EstimatorTraits& traits : EveryEstimator()) {
    const auto is_it = [&](const QuantizerSpec& spec) { return spec.estimator == traits.name; };
    if (traits.has_scale_of_token || std::any_of(known.begin(), known.end(), is_it)) continue;
    others.push_back(EverySpec({.estimators = [&](const auto& row) { return &row == &traits; }, .block = 128}).front());
  }
  return others;
}

int Run(const std::string& out_dir) {
  at::set_num_threads(1);
  const double copy_bandwidth = CopyBandwidth(kRows, kFeatures, at::kFloat);
  std::vector<QuantizerSpec> specs = OurSpecs();
  for (const QuantizerSpec& spec : PublishedSpecs()) specs.push_back(spec);
  for (const QuantizerSpec& spec : OthersThan(specs)) specs.push_back(spec);
  std::vector<BenchRow> rows;
  for (at::ScalarType type : {at::kFloat, at::kBFloat16})
    for (const QuantizerSpec& spec : specs) rows.push_back(Measure(spec, type, copy_bandwidth));
  absl::Status status = Report(out_dir, "quant", rows);
  PrintBandwidths(rows, copy_bandwidth);
  for (at::ScalarType type : {at::kFloat, at::kBFloat16}) PrintCached(type, specs);
  if (!status.ok()) fmt::print(stderr, "quant_bench: {}\n", std::string(status.message()));
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) { return ridgeline::Run(argc > 1 ? argv[1] : "out/bench"); }
