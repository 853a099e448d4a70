// SPDX-License-Identifier: Apache-2.0
#include "recipes/quantizer_rules.h"

#include <string>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "recipes/tensor_quant.h"

namespace ridgeline::recipe_internal {
namespace {

using Issues = std::vector<Issue>;

bool IsInteger(std::string_view format) { return format.starts_with("int"); }
bool HasBlockOfItsOwn(std::string_view format) { return format.starts_with("mx") || format.starts_with("nv"); }
bool IsBitMod(std::string_view format) { return format.starts_with("bitmod"); }

bool IsAny(std::string_view) { return true; }
bool HasPlainScale(std::string_view format) { return !HasBlockOfItsOwn(format); }
bool HasGaussianGrid(std::string_view format) { return HasPlainScale(format) && !IsBitMod(format); }
bool IsAboveOneBit(std::string_view format) { return IsInteger(format) && format != "int1"; }
bool IsIntegerOrTernary(std::string_view format) { return IsInteger(format) || format == "ternary"; }
bool IsParetoq(std::string_view format) {
  return format == "int1" || format == "ternary" || format == "int2" || format == "int3" || format == "int4";
}
bool IsInt1(std::string_view format) { return format == "int1"; }
bool IsInt1OrInt8(std::string_view format) { return format == "int1" || format == "int8"; }
bool IsTernaryOrInt8(std::string_view format) { return format == "ternary" || format == "int8"; }

// What an estimator has one of; empty where a recipe chooses.
struct Rule {
  std::string_view estimator;
  bool (*accepts)(std::string_view format);
  std::string_view formats;
  std::string_view scheme;
  std::string_view grid;
  std::string_view grid_gradient;
  std::string_view weight_granularity;      // Where the recipe does not say.
  std::string_view activation_granularity;  // Where the recipe does not say.
  std::string_view only = "";               // "weight" or "activation", for an estimator of one of them.
  bool learns_scale = false;                // A trained scale: of a weight's rows or all of it, never of blocks.
};

constexpr Rule kRules[] = {
    {"ridge", HasPlainScale, "a format whose scale is not rounded, such as int4 or fp4", "", "", "", "", ""},
    {"ste", IsAny, "", "", "", "", "", ""},
    {"ste_clip", IsAny, "", "", "", "detached", "", ""},
    {"quest", HasGaussianGrid, "int1 to int8, ternary, fp4, fp6 or fp8", "linear", "gaussian", "detached", "", ""},
    {"ridge_trust", HasGaussianGrid, "int1 to int8, ternary, fp4, fp6 or fp8", "", "gaussian", "detached", "", ""},
    {"bitnet_b1", IsInt1OrInt8, "int1 (weights) or int8 (activations)", "linear", "minmax", "detached", "tensor",
     "row"},
    {"bitnet", IsTernaryOrInt8, "ternary (weights) or int8 (activations)", "linear", "minmax", "detached", "tensor",
     "row"},
    {"bitnet_reloaded", IsTernaryOrInt8, "ternary (weights) or int8 (activations)", "linear", "minmax", "detached",
     "tensor", "row"},
    {"torchao", IsAboveOneBit, "int2 to int8", "", "minmax", "detached", "block", "row"},
    {"bi_adapter", IsInt1, "int1", "affine", "minmax", "graph", "", ""},
    // Noise on activations would differ between two looks at the same ones.
    {"gaussws", IsAboveOneBit, "int2 to int8", "linear", "minmax", "detached", "", "", "weight"},
    {"diffq", IsInteger, "int1 to int8", "affine", "minmax", "detached", "", "", "weight"},
    {"lsq", IsIntegerOrTernary, "int1 to int8 or ternary", "linear", "minmax", "detached", "tensor", "tensor", "",
     true},
    {"paretoq", IsParetoq, "int1, ternary, int2, int3 or int4", "linear", "minmax", "detached", "row", "", "weight",
     true},
    {"post", IsAboveOneBit, "int2 to int8", "linear", "minmax", "detached", "row", "", "weight", true},
    {"asq", IsIntegerOrTernary, "int1 to int8 or ternary", "linear", "minmax", "detached", "", "row", "activation",
     true},
};

const Rule* FindRule(std::string_view estimator) {
  for (const Rule& rule : kRules)
    if (rule.estimator == estimator) return &rule;
  return nullptr;
}

// That of an estimator that has no rules, too: one that is none, or that the schema does not know.
const Rule& RuleOf(std::string_view estimator) {
  static constexpr Rule kNoRule = {"", IsAny, "", "", "", "", "", ""};
  const Rule* rule = FindRule(estimator);
  return rule == nullptr ? kNoRule : *rule;
}

int BlockOfItsOwn(std::string_view format) {
  if (!HasBlockOfItsOwn(format)) return 0;
  return format.starts_with("mx") ? 32 : 16;
}

// Formats with a scale or an element of their own are placed by the largest number of a block alone.
bool IsOnMinMax(std::string_view format) { return HasBlockOfItsOwn(format) || IsBitMod(format); }

// torchao's weights are symmetric where nothing else is said, its activations not.
void FillTensor(const Rule& rule, bool is_weight, v1::TensorQuant* tensor) {
  std::string scheme(rule.scheme), granularity(is_weight ? rule.weight_granularity : rule.activation_granularity);
  if (rule.estimator == "torchao" && is_weight) scheme = "linear";
  if (!IsInteger(tensor->format())) scheme = "linear";
  if (!scheme.empty() && !tensor->has_scheme()) tensor->set_scheme(scheme);
  if (!granularity.empty() && !tensor->has_granularity()) tensor->set_granularity(granularity);
  const int block = BlockOfItsOwn(tensor->format());
  if (block > 0 && !tensor->has_block()) tensor->set_block(block);
}

// A tensor with an estimator of its own has that one's grid, not the one that the other tensor's needs.
void FillOwnGrid(const Rule& rule, v1::TensorQuant* tensor) {
  const bool on_minmax = IsOnMinMax(tensor->format());
  const std::string grid(rule.grid.empty() && on_minmax ? "minmax" : rule.grid);
  const std::string gradient(rule.grid_gradient.empty() && on_minmax ? "detached" : rule.grid_gradient);
  if (!grid.empty() && !tensor->has_grid()) tensor->set_grid(grid);
  if (!gradient.empty() && !tensor->has_grid_gradient()) tensor->set_grid_gradient(gradient);
}

// Whether gradients pass the regression: of ridge as its own, of ridge_trust where the recipe says so.
bool PassesFit(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  const std::string& estimator = EstimatorOf(quant, tensor);
  return (estimator == "ridge" && quant.fit_gradient() != "detached") ||
         (estimator == "ridge_trust" && quant.fit_gradient() == "graph");
}

// A gradient through the regression needs a penalty to stay small; values alone want next to none (docs/results.md).
void FillLambda(v1::Quant* quant) {
  constexpr double kOfGradientsThroughTheFit = 0.01, kOfValues = 1e-4;
  if (quant->has_lambda()) return;
  const bool passes = PassesFit(*quant, quant->weight()) || PassesFit(*quant, quant->activation());
  quant->set_lambda(passes ? kOfGradientsThroughTheFit : kOfValues);
}

// Ternary weights train better where those beyond their level take no gradient; their inputs do not (docs/results.md).
void FillTrustOfWeights(v1::Quant* quant) {
  constexpr double kUpToTheLevel = 1;
  v1::TensorQuant* weight = quant->mutable_weight();
  if (EstimatorOf(*quant, *weight) != "ridge_trust" || weight->format() != "ternary") return;
  if (!quant->has_trust() && !weight->has_trust()) weight->set_trust(kUpToTheLevel);
}

constexpr std::string_view kHaveTrustMask = "quest or ridge_trust";

// Whether a tensor is quantized, with one of these estimators.
bool TensorHas(const v1::Quant& quant, const v1::TensorQuant& tensor, std::string_view first, std::string_view second) {
  const std::string& estimator = EstimatorOf(quant, tensor);
  return IsQuantized(quant, tensor) && (estimator == first || estimator == second);
}

// The checks of one tensor of a recipe.
class TensorChecks {
 public:
  TensorChecks(const v1::Quant& quant, bool is_weight, Issues* issues)
      : quant_(quant),
        tensor_(is_weight ? quant.weight() : quant.activation()),
        is_weight_(is_weight),
        prefix_(is_weight ? "quant.weight" : "quant.activation"),
        estimator_(EstimatorOf(quant, tensor_)),
        estimator_key_(tensor_.has_estimator() ? prefix_ + ".estimator" : "quant.estimator"),
        issues_(issues) {}

  void Run() {
    CheckTrust();
    const Rule* rule = FindRule(estimator_);
    if (rule == nullptr || tensor_.format() == "none") return;
    CheckSharedKeys(*rule);
    CheckSide(*rule);
    CheckFormat(*rule);
    CheckScheme(*rule);
    CheckBlock();
    CheckGranularity(*rule);
  }

 private:
  // What follows from both keys; an issue that the other tensor has too is told once.
  void Add(const std::string& key, const std::string& message, const std::string& remedy, const std::string& cause) {
    for (const Issue& issue : *issues_)
      if (issue.key == key && issue.message == message) return;
    issues_->push_back({key, message, remedy, {cause, key}});
  }

  void CheckSharedKeys(const Rule& rule) {
    const bool on_minmax = IsOnMinMax(tensor_.format());
    CheckShared(tensor_.has_grid() ? prefix_ + ".grid" : "quant.grid", GridOf(quant_, tensor_), "{} has no {} grid",
                rule.grid, on_minmax ? "minmax" : "");
    CheckShared(tensor_.has_grid_gradient() ? prefix_ + ".grid_gradient" : "quant.grid_gradient",
                GridGradientOf(quant_, tensor_), "{} has no grid_gradient {}", rule.grid_gradient,
                on_minmax ? "detached" : "");
  }

  // `value` of `key`, against what the estimator has, or else what the format has.
  void CheckShared(const std::string& key, const std::string& value, const char* message, std::string_view of_estimator,
                   std::string_view of_format) {
    const std::string wanted(of_estimator.empty() ? of_format : of_estimator);
    if (wanted.empty() || value == wanted) return;
    const std::string& owner = of_estimator.empty() ? tensor_.format() : estimator_;
    Add(key, fmt::format(fmt::runtime(message), owner, value), fmt::format("set it to {}, or remove the key", wanted),
        estimator_key_);
  }

  void CheckTrust() {
    const std::string key = prefix_ + ".trust";
    if (tensor_.trust() <= 0 || TensorHas(quant_, tensor_, "quest", "ridge_trust")) return;
    if (IsQuantized(quant_, tensor_))
      Add(key, fmt::format("{} has no trust mask", estimator_),
          fmt::format("remove the key, or use {}", kHaveTrustMask), estimator_key_);
    else
      Add(key, fmt::format("{}s are not quantized", is_weight_ ? "weight" : "activation"),
          fmt::format("remove the key, or set {}.format", prefix_), prefix_ + ".format");
  }

  void CheckSide(const Rule& rule) {
    if (rule.only.empty() || (rule.only == "weight") == is_weight_) return;
    Add(prefix_ + ".format", fmt::format("{} is an estimator of {}s only", estimator_, rule.only),
        fmt::format("set it to none, or {}.estimator to another", prefix_), estimator_key_);
  }

  void CheckFormat(const Rule& rule) {
    if (rule.accepts(tensor_.format())) return;
    Add(prefix_ + ".format", fmt::format("{} has no {}", estimator_, tensor_.format()),
        fmt::format("use {}", rule.formats), estimator_key_);
  }

  void CheckScheme(const Rule& rule) {
    const std::string key = prefix_ + ".scheme";
    if (!IsInteger(tensor_.format()) && tensor_.scheme() != "linear") {
      Add(key, fmt::format("{} has no {} scheme", tensor_.format(), tensor_.scheme()),
          "set it to linear, or remove the key", prefix_ + ".format");
    } else if (!rule.scheme.empty() && tensor_.scheme() != rule.scheme) {
      Add(key, fmt::format("{} has no {} scheme", estimator_, tensor_.scheme()),
          fmt::format("set it to {}, or remove the key", rule.scheme), estimator_key_);
    }
  }

  void CheckBlock() {
    const int block = BlockOfItsOwn(tensor_.format());
    if (block == 0) return;
    if (tensor_.block() != block)
      Add(prefix_ + ".block", fmt::format("{} has no blocks of {}", tensor_.format(), tensor_.block()),
          fmt::format("set it to {}, or remove the key", block), prefix_ + ".format");
    if (tensor_.granularity() != "block") RefuseGranularity(tensor_.format(), "block", prefix_ + ".format");
  }

  void CheckGranularity(const Rule& rule) {
    const std::string& granularity = tensor_.granularity();
    if (rule.learns_scale && is_weight_ && granularity == "block")
      RefuseGranularity(estimator_, "row or tensor", estimator_key_);
    if (rule.learns_scale && !is_weight_ && granularity != rule.activation_granularity)
      RefuseGranularity(estimator_, rule.activation_granularity, estimator_key_);
    if (quant_.hadamard() && granularity != "block")
      Add(prefix_ + ".granularity", fmt::format("{} has no blocks that quant.hadamard could rotate", granularity),
          rule.learns_scale ? "set quant.hadamard to false" : "set it to block, or quant.hadamard to false",
          "quant.hadamard");
  }

  void RefuseGranularity(const std::string& owner, std::string_view wanted, const std::string& cause) {
    Add(prefix_ + ".granularity", fmt::format("{} has no granularity {}", owner, tensor_.granularity()),
        fmt::format("set it to {}, or remove the key", wanted), cause);
  }

  const v1::Quant& quant_;
  const v1::TensorQuant& tensor_;
  const bool is_weight_;
  const std::string prefix_, estimator_, estimator_key_;
  Issues* issues_;
};

bool AnyTensorHas(const v1::Quant& quant, std::string_view first, std::string_view second) {
  return TensorHas(quant, quant.weight(), first, second) || TensorHas(quant, quant.activation(), first, second);
}

void RefuseControl(const v1::Quant& quant, const std::string& key, std::string_view what, std::string_view estimators,
                   Issues* issues) {
  issues->push_back({key,
                     fmt::format("{} has no {}", EstimatorLabel(quant), what),
                     fmt::format("remove the key, or use {}", estimators),
                     {"quant.estimator", key}});
}

// A fit that is held still leaves no path to its grid.
void CheckDetachedFit(const v1::Quant& quant, const v1::TensorQuant& tensor, const std::string& prefix,
                      Issues* issues) {
  if (!IsQuantized(quant, tensor) || EstimatorOf(quant, tensor) != "ridge" ||
      GridGradientOf(quant, tensor) == "detached")
    return;
  const std::string key = tensor.has_grid_gradient() ? prefix + ".grid_gradient" : "quant.grid_gradient";
  issues->push_back({key,
                     "quant.fit_gradient is detached, and leaves no path to a grid in the graph",
                     "set it to detached, or remove the key",
                     {key, "quant.fit_gradient"}});
}

void CheckControls(const v1::Quant& quant, Issues* issues) {
  if (quant.hadamard_signs() && !quant.hadamard())
    issues->push_back({"quant.hadamard_signs",
                       "signs come before a Hadamard matrix, and quant.hadamard is false",
                       "set quant.hadamard to true, or remove the key",
                       {"quant.hadamard", "quant.hadamard_signs"}});
  if (quant.trust() > 0 && !AnyTensorHas(quant, "quest", "ridge_trust"))
    RefuseControl(quant, "quant.trust", "trust mask", kHaveTrustMask, issues);
  if (quant.fit_gradient() != "detached") return;
  if (!AnyTensorHas(quant, "ridge", "ridge_trust"))
    return RefuseControl(quant, "quant.fit_gradient", "fit to detach", "ridge or ridge_trust", issues);
  CheckDetachedFit(quant, quant.weight(), "quant.weight", issues);
  CheckDetachedFit(quant, quant.activation(), "quant.activation", issues);
}

}  // namespace

std::string_view EstimatorsFor(std::string_view format) {
  if (HasGaussianGrid(format)) return "ridge_trust, quest, ridge or ste";
  return HasPlainScale(format) ? "ridge or ste" : "ste";
}

bool FillDefaultEstimator(v1::Quant* quant) {
  if (quant->has_estimator()) return false;
  bool is_needed = false;
  for (const v1::TensorQuant* tensor : {&quant->weight(), &quant->activation()}) {
    if (tensor->has_estimator() || !tensor->has_format() || tensor->format() == "none") continue;
    if (!HasGaussianGrid(tensor->format())) return false;
    is_needed = true;
  }
  if (is_needed) quant->set_estimator("ridge_trust");
  return is_needed;
}

void FillQuantizerDefaults(v1::Quant* quant) {
  for (bool is_weight : {true, false}) {
    v1::TensorQuant* tensor = is_weight ? quant->mutable_weight() : quant->mutable_activation();
    const Rule& rule = RuleOf(EstimatorOf(*quant, *tensor));
    const bool has_format = tensor->has_format() && tensor->format() != "none";
    if (has_format)
      FillTensor(rule, is_weight, tensor);
    else if (rule.scheme == "linear" && !tensor->has_scheme())
      tensor->set_scheme("linear");
    if (has_format && tensor->has_estimator()) FillOwnGrid(rule, tensor);
  }
  const Rule& shared = RuleOf(quant->estimator());
  if (!shared.grid.empty() && !quant->has_grid()) quant->set_grid(std::string(shared.grid));
  if (!shared.grid_gradient.empty() && !quant->has_grid_gradient())
    quant->set_grid_gradient(std::string(shared.grid_gradient));
  FillLambda(quant);
  FillTrustOfWeights(quant);
}

void CheckQuantizers(const v1::Quant& quant, std::vector<Issue>* issues) {
  TensorChecks(quant, /*is_weight=*/true, issues).Run();
  TensorChecks(quant, /*is_weight=*/false, issues).Run();
  CheckControls(quant, issues);
}

}  // namespace ridgeline::recipe_internal
