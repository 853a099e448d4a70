// SPDX-License-Identifier: Apache-2.0
#include "quant/cuda/cases.h"

#include <cmath>
#include <limits>

#include "fmt/format.h"
#include "method/every_spec.h"
#include "quant/cuda/params_of_spec.h"

namespace ridgeline::cuda {
namespace {

constexpr int64_t kBlocks[] = {2, 16, 20, 32, 64, 128, 256, 1024};
constexpr SparsityPattern kPatterns[] = {{}, {2, 4}, {1, 4}, {4, 8}, {1, 2}, {3, 16}, {5, 32}};
constexpr Rotation kRotations[] = {{}, {true}, {true, true}, {true, true, true}, {true, false, true}};
constexpr std::string_view kPrunes = "none";

// Signs and values that stay rotated, and controls of the gradient, change nothing between lanes: two lengths do, and
// one control at a time.
bool IsWorthACase(const QuantizerSpec& spec) {
  const bool is_rotated_otherwise = spec.hadamard_signs || spec.stays_rotated;
  if (is_rotated_otherwise && spec.block != 16 && spec.block != 128) return false;
  if (spec.trust == 0 && spec.fit_gradient == FitGradient::kOwn) return true;
  if (is_rotated_otherwise) return false;
  if (spec.block != 20 && spec.block != 128) return false;
  const auto own = FindEstimatorTraits(spec.estimator)->fit_gradient;
  return (spec.trust == 0 || spec.fit_gradient == FitGradient::kOwn) && own != spec.fit_gradient;
}

// Each way to set, rotate, prune and differentiate a quantizer's grid of this length, and each control of its gradient.
std::vector<QuantizerSpec> QuantizersOf(const std::string& estimator, int64_t block) {
  return EverySpec({.estimators = [&](const EstimatorTraits& traits) { return traits.name == estimator; },
                    .rotations = {std::begin(kRotations), std::end(kRotations)},
                    .sparsities = {std::begin(kPatterns), std::end(kPatterns)},
                    .fit_gradients = {FitGradient::kOwn, FitGradient::kGraph, FitGradient::kDetached},
                    .trusts = {0, 1.1},
                    .block = block});
}

std::vector<QuantizerSpec> PruningSpecs(int64_t block) {
  std::vector<QuantizerSpec> specs;
  for (SparsityPattern pattern : kPatterns)
    for (const Rotation& rotation : kRotations)
      specs.push_back({.estimator = std::string(kPrunes),
                       .block = block,
                       .hadamard = rotation.hadamard,
                       .hadamard_signs = rotation.signs,
                       .stays_rotated = rotation.stays,
                       .sparsity = pattern});
  return specs;
}

// splitmix64: the standard library's distributions differ between its implementations.
double UniformNumber(uint64_t counter) {
  uint64_t bits = (counter + 1) * 0x9E3779B97F4A7C15u;
  bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9u;
  bits = (bits ^ bits >> 27) * 0x94D049BB133111EBu;
  return static_cast<double>((bits ^ bits >> 31) >> 11) * 0x1p-53;
}

}  // namespace

std::vector<std::string> CoveredEstimators() {
  std::vector<std::string> names = {std::string(kPrunes)};
  for (const EstimatorTraits& traits : EveryEstimator())
    if (traits.has_shared_grid()) names.emplace_back(traits.name);
  return names;
}

std::vector<QuantizerSpec> CoveredSpecs(const std::string& estimator) {
  std::vector<QuantizerSpec> specs;
  for (int64_t block : kBlocks)
    for (QuantizerSpec spec : estimator == kPrunes ? PruningSpecs(block) : QuantizersOf(estimator, block)) {
      if (spec.block != block || !IsWorthACase(spec)) continue;  // A format may have another block of its own.
      if (ScaleEncodingOf(spec.format) == ScaleEncoding::kE4m3) spec.tensor_max = 4;
      spec.mask_decay = spec.sparsity.m == 4 ? 0.01 : 0;
      if (spec.enabled() && ParamsOfSpec(spec).ok()) specs.push_back(spec);
    }
  return specs;
}

Case CaseOf(const QuantizerSpec& spec) {
  const BlockParams params = ParamsOfSpec(spec).value();
  int64_t features = 2 * params.block;
  if (spec.sparsity.is_sparse() && !spec.hadamard)
    features += spec.sparsity.m;
  else if (!spec.hadamard)
    features += 5;
  return {DescribeSpec(spec), params, params.block > 128 ? 1 : 2, features};
}

std::vector<Case> EveryCase() {
  std::vector<Case> cases;
  for (const std::string& estimator : CoveredEstimators())
    for (const QuantizerSpec& spec : CoveredSpecs(estimator)) cases.push_back(CaseOf(spec));
  return cases;
}

std::vector<Case> TimedCases() {
  constexpr Scheme kLinear = Scheme::kLinear, kAffine = Scheme::kAffine;
  constexpr GridStatistics kGaussian = GridStatistics::kGaussian;
  const QuantizerSpec specs[] = {
      {.estimator = "none", .sparsity = {2, 4}},
      {.estimator = "ste", .format = Format::kInt4, .scheme = kAffine},
      {.estimator = "ste_clip", .format = Format::kMxFp4, .scheme = kLinear, .block = 32},
      {.estimator = "ste_clip", .format = Format::kNvFp4, .scheme = kLinear, .block = 16},
      {.estimator = "quest", .format = Format::kInt4, .scheme = kLinear, .grid = kGaussian, .hadamard = true},
      {.estimator = "ridge", .format = Format::kInt1, .scheme = kAffine},
      {.estimator = "ridge", .format = Format::kInt4, .scheme = kAffine},
      {.estimator = "ridge", .format = Format::kInt4, .scheme = kLinear, .sparsity = {2, 4}},
      {.estimator = "ridge", .format = Format::kFp4, .scheme = kLinear},
      {.estimator = "ridge_trust", .format = Format::kInt4, .scheme = kAffine, .block = 64, .grid = kGaussian},
      {.estimator = "ridge_trust", .format = Format::kInt4, .scheme = kAffine, .grid = kGaussian},
      {.estimator = "ridge_trust", .format = Format::kInt4, .scheme = kAffine, .grid = kGaussian, .hadamard = true},
      {.estimator = "ridge_trust", .format = Format::kInt4, .scheme = kAffine, .block = 256, .grid = kGaussian}};
  std::vector<Case> cases;
  for (const QuantizerSpec& spec : specs)
    cases.push_back({DescribeSpec(spec), ParamsOfSpec(spec).value(), 16384, 4096});
  return cases;
}

std::string CoverageText() {
  std::string text = "covers x in float or bfloat16, x_hat in the same or bfloat16:\n";
  for (const std::string& estimator : CoveredEstimators())
    text += fmt::format("  {:12} {} combinations of format, scheme, grid, gradient, rotation, pattern and block\n",
                        estimator, CoveredSpecs(estimator).size());
  text += "  formats     ";
  for (Format format : EveryFormat()) text += fmt::format(" {}", FormatName(format));
  text += "\n  blocks      ";
  for (int64_t block : kBlocks) text += fmt::format(" {}", block);
  text += "\n  patterns     dense";
  for (const SparsityPattern& pattern : kPatterns)
    if (pattern.is_sparse()) text += fmt::format(" {}:{}", pattern.n, pattern.m);
  return text + "\n";
}

std::vector<float> RandomNumbers(int64_t count, unsigned seed) {
  std::vector<float> numbers;
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t counter = (uint64_t{seed} << 40) + static_cast<uint64_t>(2 * i);
    const double radius = std::sqrt(-2 * std::log(1 - UniformNumber(counter)));
    numbers.push_back(static_cast<float>(0.3 + radius * std::cos(6.283185307179586 * UniformNumber(counter + 1))));
  }
  return numbers;
}

std::vector<float> TroubledNumbers(const Case& of, unsigned seed) {
  using Limits = std::numeric_limits<float>;
  std::vector<float> numbers = RandomNumbers(of.rows * of.features, seed);
  const float fills[] = {0.0f, 3.5f, Limits::denorm_min(), 1e-40f, 1e29f, Limits::max()};
  const float outliers[] = {1e29f, -1e33f, Limits::max(), Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()};
  const size_t block = static_cast<size_t>(of.params.block), trouble = seed % kTroubles;
  if (trouble >= 6 && trouble < 12) numbers[block / 2] = outliers[trouble - 6];
  for (size_t i = 0; i < block; ++i) {
    if (trouble < 6) numbers[i] = fills[trouble];
    if (trouble == 12) numbers[i] *= 0x1p80f;
  }
  return numbers;
}

}  // namespace ridgeline::cuda
