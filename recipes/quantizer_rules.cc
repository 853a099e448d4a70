// SPDX-License-Identifier: Apache-2.0
#include "recipes/quantizer_rules.h"

#include <string>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "method/estimator_traits.h"
#include "recipes/tensor_quant.h"

namespace ridgeline::recipe_internal {
namespace {

using Issues = std::vector<Issue>;

constexpr Side kSides[] = {Side::kWeight, Side::kActivation};

// none for what is no format.
Format FormatOf(const v1::TensorQuant& tensor) { return ParseFormat(tensor.format()).value_or(Format::kNone); }

// Those of an estimator that leaves all open, for one that is none or that the schema does not know.
const EstimatorTraits& TraitsOf(std::string_view estimator) {
  static constexpr EstimatorTraits kOpen{.name = "", .accepts = nullptr};
  const EstimatorTraits* traits = FindEstimatorTraits(estimator);
  return traits == nullptr ? kOpen : *traits;
}

const EstimatorTraits& TraitsOf(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  return TraitsOf(EstimatorOfTensor(quant, tensor));
}

void FillScheme(const EstimatorTraits& traits, Side side, v1::TensorQuant* tensor) {
  std::optional<Scheme> scheme = traits.scheme;
  if (side == Side::kWeight && traits.weight_scheme) scheme = traits.weight_scheme;
  if (!IsInteger(FormatOf(*tensor))) scheme = Scheme::kLinear;
  if (scheme && !tensor->has_scheme()) tensor->set_scheme(std::string(SchemeName(*scheme)));
}

void FillTensor(const EstimatorTraits& traits, Side side, v1::TensorQuant* tensor) {
  FillScheme(traits, side, tensor);
  const auto granularity = side == Side::kWeight ? traits.weight_granularity : traits.activation_granularity;
  if (granularity && !tensor->has_granularity()) tensor->set_granularity(std::string(GranularityName(*granularity)));
  const int64_t block = OwnBlock(FormatOf(*tensor));
  if (block > 0 && !tensor->has_block()) tensor->set_block(static_cast<int>(block));
}

// Sets them in a message that has both keys, where it has not.
template <typename Message>
void FillGrid(std::optional<GridStatistics> grid, std::optional<GridGradient> gradient, Message* message) {
  if (grid && !message->has_grid()) message->set_grid(std::string(GridStatisticsName(*grid)));
  if (gradient && !message->has_grid_gradient()) message->set_grid_gradient(std::string(GridGradientName(*gradient)));
}

// A tensor with an estimator of its own has that one's grid, not the one that the other tensor's needs.
void FillOwnGrid(const EstimatorTraits& traits, v1::TensorQuant* tensor) {
  auto grid = traits.grid;
  auto gradient = traits.grid_gradient;
  if (!HasGaussianGrid(FormatOf(*tensor))) {
    grid = grid.value_or(GridStatistics::kMinMax);
    gradient = gradient.value_or(GridGradient::kDetached);
  }
  FillGrid(grid, gradient, tensor);
}

bool TensorPassesFit(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  const EstimatorTraits& traits = TraitsOf(quant, tensor);
  if (!traits.has_fit()) return false;
  const FitGradient given = ParseFitGradient(quant.fit_gradient()).value_or(FitGradient::kOwn);
  return (given == FitGradient::kOwn ? *traits.fit_gradient : given) == FitGradient::kGraph;
}

// A gradient through the regression needs a penalty to stay small; values alone want next to none (docs/results.md).
void FillLambda(v1::Quant* quant) {
  constexpr double kOfGradientsThroughTheFit = 0.01, kOfValues = 1e-4;
  if (quant->has_lambda()) return;
  const bool passes = TensorPassesFit(*quant, quant->weight()) || TensorPassesFit(*quant, quant->activation());
  quant->set_lambda(passes ? kOfGradientsThroughTheFit : kOfValues);
}

void FillTrustOfWeights(v1::Quant* quant) {
  v1::TensorQuant* weight = quant->mutable_weight();
  const double trust = TraitsOf(*quant, *weight).ternary_weight_trust;
  if (trust == 0 || FormatOf(*weight) != Format::kTernary) return;
  if (!quant->has_trust() && !weight->has_trust()) weight->set_trust(trust);
}

std::string NamesWithTrustMask() {
  return EstimatorNames([](const EstimatorTraits& traits) { return traits.has_trust_mask(); });
}

std::string NamesWithFit() {
  return EstimatorNames([](const EstimatorTraits& traits) { return traits.has_fit(); });
}

// The recipe's key for a field of a tensor's spec.
std::string KeyOf(SpecField field, const v1::Quant& quant, Side side) {
  const v1::TensorQuant& tensor = TensorOf(quant, side);
  const std::string own = fmt::format("quant.{}.{}", SideName(side), SpecFieldName(field));
  const std::string shared = fmt::format("quant.{}", SpecFieldName(field));
  switch (field) {
    case SpecField::kEstimator:
      return tensor.has_estimator() ? own : shared;
    case SpecField::kGrid:
      return tensor.has_grid() ? own : shared;
    case SpecField::kGridGradient:
      return tensor.has_grid_gradient() ? own : shared;
    case SpecField::kTrust:
      return tensor.has_trust() ? own : shared;
    case SpecField::kFormat:
    case SpecField::kScheme:
    case SpecField::kBlock:
    case SpecField::kGranularity:
      return own;
    case SpecField::kSparsity:
      return "sparsity.pattern";
    case SpecField::kMaskDecay:
      return "sparsity.mask_decay";
    default:
      return shared;
  }
}

// Whether nothing but one value goes with the field's cause, and defaults fill that in.
bool HasOneValue(const SpecProblem& problem) {
  if (problem.cause != SpecField::kEstimator && problem.cause != SpecField::kFormat) return false;
  return problem.field == SpecField::kScheme || problem.field == SpecField::kBlock ||
         problem.field == SpecField::kGranularity || problem.field == SpecField::kGrid ||
         problem.field == SpecField::kGridGradient;
}

// An issue that the other tensor has too is told once.
void AddOnce(Issue issue, Issues* issues) {
  for (const Issue& other : *issues)
    if (other.key == issue.key && other.message == issue.message) return;
  issues->push_back(std::move(issue));
}

// What the tensor says of a mask that it does not have.
void CheckTrustOfTensor(const v1::Quant& quant, Side side, Issues* issues) {
  const v1::TensorQuant& tensor = TensorOf(quant, side);
  const std::string key = fmt::format("quant.{}.trust", SideName(side));
  const std::string format_key = fmt::format("quant.{}.format", SideName(side));
  if (tensor.trust() <= 0) return;
  if (!IsQuantized(quant, tensor))
    issues->push_back({key,
                       fmt::format("{}s are not quantized", SideName(side)),
                       fmt::format("remove the key, or set {}", format_key),
                       {format_key, key}});
  else if (!TraitsOf(quant, tensor).has_trust_mask())
    issues->push_back({key,
                       fmt::format("{} has no trust mask", EstimatorOfTensor(quant, tensor)),
                       fmt::format("remove the key, or use {}", NamesWithTrustMask()),
                       {KeyOf(SpecField::kEstimator, quant, side), key}});
}

void CheckTensor(const v1::Quant& quant, Side side, Issues* issues) {
  CheckTrustOfTensor(quant, side, issues);
  absl::StatusOr<QuantizerSpec> spec = SpecOfTensor(quant, side);
  if (!spec.ok() || !spec->quantizes()) return;                   // A word that is not allowed is an issue of its own.
  spec->hadamard_signs = spec->hadamard_signs && spec->hadamard;  // One key for both tensors: CheckControls.
  for (const SpecProblem& problem : ProblemsOf(*spec, side)) AddOnce(IssueOf(problem, quant, side), issues);
}

bool AnyTensor(const v1::Quant& quant, bool (*has)(const EstimatorTraits&)) {
  for (Side side : kSides) {
    const v1::TensorQuant& tensor = TensorOf(quant, side);
    if (IsQuantized(quant, tensor) && has(TraitsOf(quant, tensor))) return true;
  }
  return false;
}

void RefuseControl(const v1::Quant& quant, const std::string& key, std::string_view what, std::string_view estimators,
                   Issues* issues) {
  issues->push_back({key,
                     fmt::format("{} has no {}", EstimatorLabel(quant), what),
                     fmt::format("remove the key, or use {}", estimators),
                     {"quant.estimator", key}});
}

// Keys that both tensors share, and neither has a use for.
void CheckControls(const v1::Quant& quant, Issues* issues) {
  if (quant.hadamard_signs() && !quant.hadamard())
    issues->push_back({"quant.hadamard_signs",
                       "signs come before a Hadamard matrix, and quant.hadamard is false",
                       "set quant.hadamard to true, or remove the key",
                       {"quant.hadamard", "quant.hadamard_signs"}});
  if (quant.trust() > 0 && !AnyTensor(quant, [](const EstimatorTraits& traits) { return traits.has_trust_mask(); }))
    RefuseControl(quant, "quant.trust", "trust mask", NamesWithTrustMask(), issues);
  if (quant.weight_scales() == "int8" && !IsQuantized(quant, quant.weight()))
    issues->push_back({"quant.weight_scales",
                       "weights are not quantized",
                       "remove the key, or set quant.weight.format",
                       {"quant.weight.format", "quant.weight_scales"}});
  if (quant.fit_gradient() == FitGradientName(FitGradient::kDetached) &&
      !AnyTensor(quant, [](const EstimatorTraits& traits) { return traits.has_fit(); }))
    RefuseControl(quant, "quant.fit_gradient", "fit to detach", NamesWithFit(), issues);
}

}  // namespace

Issue IssueOf(const SpecProblem& problem, const v1::Quant& quant, Side side) {
  const std::string key = KeyOf(problem.field, quant, side);
  Issue issue{key, problem.message, problem.remedy, {KeyOf(problem.cause, quant, side), key}};
  if (HasOneValue(problem)) issue.remedy += ", or remove the key";
  if (problem.cause == SpecField::kSparsity)
    for (SpecField field : {SpecField::kFormat, SpecField::kEstimator})
      issue.depends_on.push_back(KeyOf(field, quant, side));
  return issue;
}

std::string EstimatorsFor(std::string_view format) {
  const Format parsed = ParseFormat(format).value_or(Format::kNone);
  std::string names;
  // Those for any tensor, granularity and pattern.
  for (const EstimatorTraits& traits : EveryEstimator())
    if (traits.prunes && traits.accepts(parsed)) names += fmt::format("{}{}", names.empty() ? "" : ", ", traits.name);
  const size_t last = names.rfind(", ");
  return last == std::string::npos ? names : names.replace(last, 2, " or ");
}

bool FillDefaultEstimator(v1::Quant* quant) {
  if (quant->has_estimator()) return false;
  bool is_needed = false;
  for (const v1::TensorQuant* tensor : {&quant->weight(), &quant->activation()}) {
    if (tensor->has_estimator() || !tensor->has_format() || tensor->format() == "none") continue;
    if (!TraitsOf(kDefaultEstimator).accepts(FormatOf(*tensor))) return false;
    is_needed = true;
  }
  if (is_needed) quant->set_estimator(std::string(kDefaultEstimator));
  return is_needed;
}

void FillQuantizerDefaults(v1::Quant* quant) {
  for (Side side : kSides) {
    v1::TensorQuant* tensor = side == Side::kWeight ? quant->mutable_weight() : quant->mutable_activation();
    const EstimatorTraits& traits = TraitsOf(*quant, *tensor);
    const bool has_format = tensor->has_format() && tensor->format() != "none";
    if (has_format)
      FillTensor(traits, side, tensor);
    else if (traits.scheme == Scheme::kLinear && !tensor->has_scheme())
      tensor->set_scheme(std::string(SchemeName(Scheme::kLinear)));
    if (has_format && tensor->has_estimator()) FillOwnGrid(traits, tensor);
  }
  const EstimatorTraits& shared = TraitsOf(quant->estimator());
  FillGrid(shared.grid, shared.grid_gradient, quant);
  FillLambda(quant);
  FillTrustOfWeights(quant);
}

void CheckQuantizers(const v1::Quant& quant, std::vector<Issue>* issues) {
  for (Side side : kSides) CheckTensor(quant, side, issues);
  CheckControls(quant, issues);
}

}  // namespace ridgeline::recipe_internal
