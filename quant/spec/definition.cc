// SPDX-License-Identifier: Apache-2.0
#include "quant/spec/definition.h"

#include <algorithm>
#include <optional>

#include "fmt/format.h"
#include "quant/spec/float_element.h"

namespace ridgeline {
namespace {

bool IsPlainInteger(Format format) { return format >= Format::kInt1 && format <= Format::kInt8; }
bool HasPlainScale(Format format) { return ScaleEncodingOf(format) == ScaleEncoding::kFloat16; }
bool IsIntegerAboveOneBit(Format format) { return IsPlainInteger(format) && format != Format::kInt1; }

bool IsAny(Format) { return true; }
bool HasGaussianExtent(Format format) { return HasPlainScale(format) && !IsBitMod(format); }
bool IsInt1(Format format) { return format == Format::kInt1; }
bool IsInt1OrInt8(Format format) { return format == Format::kInt1 || format == Format::kInt8; }
bool IsPlainIntegerOrTernary(Format format) { return IsPlainInteger(format) || format == Format::kTernary; }
bool IsUpToInt4(Format format) {
  return (format >= Format::kInt1 && format <= Format::kInt4) || format == Format::kTernary;
}
bool IsTernaryOrInt8(Format format) { return format == Format::kTernary || format == Format::kInt8; }

// An empty optional leaves both choices open.
struct EstimatorDefinition {
  std::string_view name;
  bool (*accepts)(Format);
  std::string_view formats;
  std::optional<Scheme> scheme;
  std::optional<GridStatistics> grid;
  std::optional<GridGradient> grid_gradient;
  bool prunes = false;  // Whether a pruned number has a code of its own that is zero.
};

constexpr auto kLinear = Scheme::kLinear, kAffine = Scheme::kAffine;
constexpr auto kMinMax = GridStatistics::kMinMax, kGaussian = GridStatistics::kGaussian;
constexpr auto kDetached = GridGradient::kDetached, kGraph = GridGradient::kGraph;

constexpr EstimatorDefinition kDefinitions[] = {
    {"ridge", HasPlainScale, "a format whose scale is not rounded, such as int4, ternary or fp4", {}, {}, {}, true},
    {"ste", IsAny, "any format", {}, {}, {}, true},
    {"ste_clip", IsAny, "any format", {}, {}, kDetached},
    {"quest", HasGaussianExtent, "int1 to int8, ternary, fp4, fp6 or fp8", kLinear, kGaussian, kDetached, true},
    {"ridge_trust", HasGaussianExtent, "int1 to int8, ternary, fp4, fp6 or fp8", {}, kGaussian, kDetached, true},
    {"bitnet_b1", IsInt1OrInt8, "int1 (weights) or int8 (activations)", kLinear, kMinMax, kDetached},
    {"bitnet", IsTernaryOrInt8, "ternary (weights) or int8 (activations)", kLinear, kMinMax, kDetached},
    {"bitnet_reloaded", IsTernaryOrInt8, "ternary (weights) or int8 (activations)", kLinear, kMinMax, kDetached},
    {"bi_adapter", IsInt1, "int1", kAffine, kMinMax, kGraph},
    {"torchao", IsIntegerAboveOneBit, "int2 to int8", {}, kMinMax, kDetached},
    {"gaussws", IsIntegerAboveOneBit, "int2 to int8", kLinear, kMinMax, kDetached},
    {"diffq", IsPlainInteger, "int1 to int8", kAffine, kMinMax, kDetached},
    {"lsq", IsPlainIntegerOrTernary, "int1 to int8 or ternary", kLinear, kMinMax, kDetached},
    {"paretoq", IsUpToInt4, "int1, ternary, int2, int3 or int4", kLinear, kMinMax, kDetached},
    {"post", IsIntegerAboveOneBit, "int2 to int8", kLinear, kMinMax, kDetached},
    {"asq", IsPlainIntegerOrTernary, "int1 to int8 or ternary", kLinear, kMinMax, kDetached},
};

// The controls of ridge: a fit that is held still leaves no path to its grid.
absl::Status ValidateFitGradient(const QuantizerSpec& spec) {
  if (spec.fit_gradient != FitGradient::kDetached) return absl::OkStatus();
  if (spec.estimator != "ridge" && spec.estimator != "ridge_trust")
    return absl::InvalidArgumentError(
        fmt::format("estimator {} has no fit to detach: use ridge or ridge_trust", spec.estimator));
  if (spec.grid_gradient == kDetached) return absl::OkStatus();
  return absl::InvalidArgumentError("a detached fit has no grid_gradient graph: use detached");
}

absl::Status Refuse(std::string_view kind, std::string_view name, std::string_view key, std::string_view got,
                    std::string_view remedy) {
  return absl::InvalidArgumentError(fmt::format("{} {} has no {} {}: use {}", kind, name, key, got, remedy));
}

// SR-STE moves pruned numbers by what they are.
bool DecaysPruned(const QuantizerSpec& spec) { return spec.sparsity.is_sparse() && spec.mask_decay > 0; }

std::string_view GradientName(GridGradient gradient) { return gradient == kGraph ? "graph" : "detached"; }

}  // namespace

absl::Status ValidateFormatDefinition(const QuantizerSpec& spec) {
  const Format format = spec.format;
  const std::string_view name = FormatName(format);
  if (spec.scheme != kLinear && (format == Format::kTernary || HasOwnElement(format)))
    return absl::InvalidArgumentError(fmt::format("format {} is symmetric about zero: use scheme linear", name));
  if (HasPlainScale(format) && !IsBitMod(format)) return absl::OkStatus();
  if (spec.grid != kMinMax) return Refuse("format", name, "grid", GridStatisticsName(spec.grid), "minmax");
  if (spec.grid_gradient != kDetached)
    return Refuse("format", name, "grid_gradient", GradientName(spec.grid_gradient), "detached");
  const int64_t own_block = OwnBlock(format);
  if (own_block == 0) return absl::OkStatus();
  if (spec.granularity != Granularity::kBlock)
    return Refuse("format", name, "granularity", GranularityName(spec.granularity), "block");
  if (spec.block != own_block)
    return Refuse("format", name, "block of", fmt::format("{}", spec.block), fmt::format("{}", own_block));
  return absl::OkStatus();
}

absl::Status ValidateEstimatorDefinition(const QuantizerSpec& spec) {
  for (const EstimatorDefinition& definition : kDefinitions) {
    if (definition.name != spec.estimator) continue;
    if (!definition.accepts(spec.format))
      return Refuse("estimator", spec.estimator, "format", FormatName(spec.format), definition.formats);
    if (spec.sparsity.is_sparse() && !definition.prunes)
      return absl::InvalidArgumentError(
          fmt::format("estimator {} has no sparse form: use ste, ridge, quest or ridge_trust", spec.estimator));
    if (definition.scheme.value_or(spec.scheme) != spec.scheme)
      return Refuse("estimator", spec.estimator, "scheme", SchemeName(spec.scheme), SchemeName(*definition.scheme));
    if (definition.grid.value_or(spec.grid) != spec.grid)
      return Refuse("estimator", spec.estimator, "grid", GridStatisticsName(spec.grid),
                    GridStatisticsName(*definition.grid));
    if (definition.grid_gradient.value_or(spec.grid_gradient) != spec.grid_gradient)
      return Refuse("estimator", spec.estimator, "grid_gradient", GradientName(spec.grid_gradient),
                    GradientName(*definition.grid_gradient));
  }
  if (spec.learns_scale() && spec.granularity == Granularity::kBlock)
    return Refuse("estimator", spec.estimator, "granularity", "block", "row or tensor");
  return ValidateFitGradient(spec);
}

bool PassesGradient(const QuantizerSpec& spec) {
  if (DecaysPruned(spec) || spec.stays_rotated) return false;
  if (!spec.quantizes()) return true;
  if (spec.estimator == "ridge") return spec.detaches_fit();
  if (spec.estimator == "ste") return spec.grid_gradient == GridGradient::kDetached;
  for (std::string_view name : {"bitnet_b1", "bitnet", "bitnet_reloaded", "gaussws", "diffq"})
    if (spec.estimator == name) return true;
  return false;
}

bool PassesTrustedGradient(const QuantizerSpec& spec) {
  if (DecaysPruned(spec) || !spec.quantizes()) return false;
  if (spec.estimator == "ridge_trust") return spec.detaches_fit();
  for (std::string_view name : {"quest", "ste_clip", "torchao"})
    if (spec.estimator == name) return true;
  return false;
}

bool PassesFit(const QuantizerSpec& spec) {
  return spec.quantizes() && (spec.estimator == "ridge" || spec.estimator == "ridge_trust") && !spec.detaches_fit();
}

int64_t BlockLength(const QuantizerSpec& spec, int64_t features) {
  if (spec.granularity != Granularity::kBlock) return features;
  int64_t block = spec.block;
  if (spec.sparsity.is_sparse() && block % spec.sparsity.m != 0)
    block = std::max<int64_t>(spec.sparsity.m, block - block % spec.sparsity.m);
  return std::min(block, features);
}

bool TreatsRowsAlone(const QuantizerSpec& spec) {
  return spec.granularity != Granularity::kTensor && ScaleEncodingOf(spec.format) != ScaleEncoding::kE4m3;
}

int64_t SavedBytes(const QuantizerSpec& spec, int64_t features, int64_t number_bytes) {
  const int64_t block = BlockLength(spec, features), whole = features / block, rest = features % block;
  if (PassesTrustedGradient(spec)) return whole * ((block + 7) / 8) + (rest + 7) / 8;
  return PassesFit(spec) ? (whole + (rest > 0 ? 1 : 0)) * kNumbersOfFit * number_bytes : 0;
}

}  // namespace ridgeline
