// SPDX-License-Identifier: Apache-2.0
#include "method/problems.h"

#include <array>

#include "fmt/format.h"

namespace ridgeline {
namespace {

// In the order of SpecField.
constexpr std::array<std::string_view, 16> kFieldNames = {
    "estimator",   "format",       "scheme",     "block",        "lambda",         "grid_gradient",
    "grid",        "fit_gradient", "trust",      "hadamard",     "hadamard_signs", "stays_rotated",
    "granularity", "sparsity",     "mask_decay", "weight_scales"};

constexpr bool IsPowerOfTwo(int64_t n) { return n > 0 && (n & (n - 1)) == 0; }

// The checks of one spec.
class SpecChecks {
 public:
  SpecChecks(const QuantizerSpec& spec, std::optional<Side> side)
      : spec_(spec), side_(side), traits_(FindEstimatorTraits(spec.estimator)) {}

  std::vector<SpecProblem> Run() && {
    CheckRanges();
    if (spec_.quantizes()) {
      if (traits_ == nullptr)
        Add(SpecField::kEstimator, SpecField::kEstimator, fmt::format("'{}' is unknown", spec_.estimator),
            fmt::format("use none, {}", EstimatorNames([](const EstimatorTraits&) { return true; })));
      else
        CheckEstimator();
      CheckFormat();
    }
    CheckHadamard();
    CheckSparsity();
    CheckScales();
    return std::move(problems_);
  }

 private:
  void Add(SpecField field, SpecField cause, std::string message, std::string remedy) {
    problems_.push_back({field, cause, std::move(message), std::move(remedy)});
  }

  void AddRange(SpecField field, std::string message, std::string remedy) {
    Add(field, field, std::move(message), std::move(remedy));
  }

  void CheckRanges() {
    if (spec_.block < 2)
      AddRange(SpecField::kBlock, fmt::format("{} is too short to share a grid", spec_.block), "use at least 2");
    CheckNotNegative(SpecField::kLambda, spec_.lambda);
    CheckNotNegative(SpecField::kTrust, spec_.trust);
    CheckNotNegative(SpecField::kMaskDecay, spec_.mask_decay);
  }

  void CheckNotNegative(SpecField field, double value) {
    if (!(value >= 0)) AddRange(field, fmt::format("{} is {}", SpecFieldName(field), value), "use 0 or more");
  }

  // What the estimator has one of, and what it has no form of.
  void CheckEstimator() {
    if (side_ && !traits_->is_defined_for(*side_))
      return Add(SpecField::kFormat, SpecField::kEstimator,
                 fmt::format("{} is an estimator of {}s only", traits_->name, SideName(*traits_->only)),
                 "use none, or another estimator for this tensor");
    if (!traits_->accepts(spec_.format))
      return Add(SpecField::kFormat, SpecField::kEstimator,
                 fmt::format("{} has no {}", traits_->name, FormatName(spec_.format)),
                 fmt::format("use {}", traits_->formats));
    if (traits_->scheme.value_or(spec_.scheme) != spec_.scheme)
      Add(SpecField::kScheme, SpecField::kEstimator,
          fmt::format("{} has no {} scheme", traits_->name, SchemeName(spec_.scheme)),
          fmt::format("use {}", SchemeName(*traits_->scheme)));
    if (traits_->grid.value_or(spec_.grid) != spec_.grid)
      Add(SpecField::kGrid, SpecField::kEstimator,
          fmt::format("{} has no {} grid", traits_->name, GridStatisticsName(spec_.grid)),
          fmt::format("use {}", GridStatisticsName(*traits_->grid)));
    if (traits_->grid_gradient.value_or(spec_.grid_gradient) != spec_.grid_gradient)
      Add(SpecField::kGridGradient, SpecField::kEstimator,
          fmt::format("{} has no grid_gradient {}", traits_->name, GridGradientName(spec_.grid_gradient)),
          fmt::format("use {}", GridGradientName(*traits_->grid_gradient)));
    CheckFit();
    CheckLearnedScale();
  }

  // A fit that is held still leaves no path to its grid.
  void CheckFit() {
    if (spec_.fit_gradient != FitGradient::kDetached) return;
    if (!traits_->has_fit())
      Add(SpecField::kFitGradient, SpecField::kEstimator, fmt::format("{} has no fit to detach", traits_->name),
          fmt::format("use {}", EstimatorNames([](const EstimatorTraits& row) { return row.has_fit(); })));
    else if (!traits_->grid_gradient && spec_.grid_gradient != GridGradient::kDetached)
      Add(SpecField::kGridGradient, SpecField::kFitGradient,
          "fit_gradient is detached, and leaves no path to a grid in the graph", "use detached");
  }

  // A scale must not depend on the batch: an activation's is the tensor's, or made for each token.
  void CheckLearnedScale() {
    if (!traits_->learns_scale()) return;
    if (side_ == Side::kActivation) {
      if (spec_.granularity != *traits_->activation_granularity)
        RefuseGranularity(SpecField::kEstimator, traits_->name, GranularityName(*traits_->activation_granularity));
    } else if (spec_.granularity == Granularity::kBlock) {
      RefuseGranularity(SpecField::kEstimator, traits_->name, "row or tensor");
    }
  }

  void RefuseGranularity(SpecField cause, std::string_view owner, std::string_view wanted) {
    Add(SpecField::kGranularity, cause,
        fmt::format("{} has no granularity {}", owner, GranularityName(spec_.granularity)),
        fmt::format("use {}", wanted));
  }

  // What the format has one of, where the estimator leaves it open.
  void CheckFormat() {
    const std::string_view name = FormatName(spec_.format);
    const bool is_estimators_scheme = traits_ != nullptr && traits_->scheme.has_value();
    if (spec_.scheme != Scheme::kLinear && !IsInteger(spec_.format) && !is_estimators_scheme)
      Add(SpecField::kScheme, SpecField::kFormat, fmt::format("{} has no affine scheme", name), "use linear");
    if (HasGaussianGrid(spec_.format)) return;
    if (spec_.grid != GridStatistics::kMinMax)
      Add(SpecField::kGrid, SpecField::kFormat, fmt::format("{} has no gaussian grid", name), "use minmax");
    if (spec_.grid_gradient != GridGradient::kDetached)
      Add(SpecField::kGridGradient, SpecField::kFormat, fmt::format("{} has no grid_gradient graph", name),
          "use detached");
    CheckOwnBlock(name);
  }

  void CheckOwnBlock(std::string_view name) {
    const int64_t own = OwnBlock(spec_.format);
    if (own == 0) return;
    if (spec_.granularity != Granularity::kBlock) return RefuseGranularity(SpecField::kFormat, name, "block");
    if (spec_.block != own)
      Add(SpecField::kBlock, SpecField::kFormat, fmt::format("{} has no blocks of {}", name, spec_.block),
          fmt::format("use {}", own));
  }

  void CheckHadamard() {
    if (spec_.hadamard) return CheckRotatedBlocks();
    if (spec_.hadamard_signs)
      Add(SpecField::kHadamardSigns, SpecField::kHadamard, "signs come before a Hadamard matrix, and hadamard is false",
          "use false, or set hadamard to true");
    if (spec_.stays_rotated)
      Add(SpecField::kStaysRotated, SpecField::kHadamard, "nothing is rotated, and hadamard is false",
          "use false, or set hadamard to true");
  }

  void CheckRotatedBlocks() {
    if (spec_.granularity != Granularity::kBlock) {
      const bool learns = traits_ != nullptr && traits_->learns_scale();
      return Add(SpecField::kGranularity, SpecField::kHadamard,
                 fmt::format("{} has no blocks that hadamard could rotate", GranularityName(spec_.granularity)),
                 learns ? "set hadamard to false" : "use block, or set hadamard to false");
    }
    if (!IsPowerOfTwo(spec_.block))
      Add(SpecField::kBlock, SpecField::kHadamard,
          fmt::format("{} is not a power of two, and hadamard is true", spec_.block), "use one such as 64 or 128");
  }

  void CheckSparsity() {
    const auto [n, m] = spec_.sparsity;
    const bool is_dense = n == m && n >= 0;
    if (is_dense) return;
    if (n < 1 || n > m || m > kLargestSparsityGroup)
      return AddRange(SpecField::kSparsity, fmt::format("{} of {} cannot be kept", n, m),
                      fmt::format("use 1 or more of at most {}", kLargestSparsityGroup));
    if (spec_.quantizes()) CheckPrunedCodes();
    const bool has_blocks = spec_.quantizes() || spec_.hadamard;
    if (has_blocks && spec_.granularity == Granularity::kBlock && spec_.block % m != 0)
      Add(SpecField::kBlock, SpecField::kSparsity,
          fmt::format("{} is no multiple of {}, and sparsity is {}:{}", spec_.block, m, n, m),
          fmt::format("use a multiple of {}", m));
  }

  // Scales of 8 bits are steps of the row's: there is nothing to share where a row or the tensor has one.
  void CheckScales() {
    if (spec_.scale_precision != ScalePrecision::kInt8 || !spec_.quantizes()) return;
    const auto refuse = [this](SpecField cause, std::string why) {
      Add(SpecField::kWeightScales, cause, std::move(why), "use float16");
    };
    if (side_ == Side::kActivation) refuse(SpecField::kWeightScales, "scales of activations are not stored");
    if (spec_.granularity != Granularity::kBlock)
      refuse(SpecField::kGranularity, fmt::format("a {} has one scale", GranularityName(spec_.granularity)));
    if (!HasPlainScale(spec_.format))
      refuse(SpecField::kFormat, fmt::format("{} has scales of 8 bits of its own", FormatName(spec_.format)));
    if (traits_ != nullptr && (traits_->adds_noise || traits_->learns_scale()))
      refuse(SpecField::kEstimator, fmt::format("{} trains with scales that are not rounded so", traits_->name));
  }

  void CheckPrunedCodes() {
    if (traits_ != nullptr && !traits_->prunes)
      Add(SpecField::kEstimator, SpecField::kSparsity, fmt::format("{} has no sparse form", traits_->name),
          fmt::format("use {}", EstimatorNames([](const EstimatorTraits& row) { return row.prunes; })));
    if (spec_.scheme == Scheme::kAffine)
      Add(SpecField::kScheme, SpecField::kSparsity,
          fmt::format("affine codes decode about a block's mean, and numbers that sparsity {}:{} prunes are zero",
                      spec_.sparsity.n, spec_.sparsity.m),
          "use linear");
  }

  const QuantizerSpec& spec_;
  const std::optional<Side> side_;
  const EstimatorTraits* traits_;
  std::vector<SpecProblem> problems_;
};

}  // namespace

std::string_view SpecFieldName(SpecField field) { return kFieldNames[static_cast<size_t>(field)]; }

std::vector<SpecProblem> ProblemsOf(const QuantizerSpec& spec, std::optional<Side> side) {
  return SpecChecks(spec, side).Run();
}

absl::Status ValidateQuantizerSpec(const QuantizerSpec& spec, std::optional<Side> side) {
  const std::vector<SpecProblem> problems = ProblemsOf(spec, side);
  if (problems.empty()) return absl::OkStatus();
  const SpecProblem& first = problems.front();
  return absl::InvalidArgumentError(fmt::format("{}: {}: {}", SpecFieldName(first.field), first.message, first.remedy));
}

absl::Status ValidateFeatures(const QuantizerSpec& spec, int64_t features) {
  if (spec.sparsity.is_sparse() && features % spec.sparsity.m != 0)
    return absl::InvalidArgumentError(fmt::format(
        "{} features leave a tail of {} behind sparse groups of {}: use a pattern that divides the features", features,
        features % spec.sparsity.m, spec.sparsity.m));
  if (!spec.hadamard || features % spec.block == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} features leave a tail of {} behind Hadamard blocks of {}: use a block that divides the features",
                  features, features % spec.block, spec.block));
}

}  // namespace ridgeline
