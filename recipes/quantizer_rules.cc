// SPDX-License-Identifier: Apache-2.0
#include "recipes/quantizer_rules.h"

#include <string>
#include <string_view>
#include <utility>

#include "fmt/format.h"

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
};

constexpr Rule kRules[] = {
    {"ridge", HasPlainScale, "a format whose scale is not rounded, such as int4 or fp4", "", "", "", "", ""},
    {"ste", IsAny, "", "", "", "", "", ""},
    {"ste_clip", IsAny, "", "", "", "detached", "", ""},
    {"quest", HasGaussianGrid, "int1 to int8, ternary, fp4, fp6 or fp8", "linear", "gaussian", "detached", "", ""},
    {"ridge_trust", HasGaussianGrid, "int1 to int8, ternary, fp4, fp6 or fp8", "", "gaussian", "detached", "", ""},
    {"bitnet_b1", IsInt1OrInt8, "int1 (weights) or int8 (activations)", "linear", "minmax", "detached", "tensor", "row"},
    {"bitnet", IsTernaryOrInt8, "ternary (weights) or int8 (activations)", "linear", "minmax", "detached", "tensor", "row"},
    {"bitnet_reloaded", IsTernaryOrInt8, "ternary (weights) or int8 (activations)", "linear", "minmax", "detached",
     "tensor", "row"},
    {"torchao", IsAboveOneBit, "int2 to int8", "", "minmax", "detached", "block", "row"},
    {"bi_adapter", IsInt1, "int1", "affine", "minmax", "graph", "", ""},
    {"gaussws", IsAboveOneBit, "int2 to int8", "linear", "minmax", "detached", "", ""},
    {"diffq", IsInteger, "int1 to int8", "affine", "minmax", "detached", "", ""},
};

const Rule* RuleOf(std::string_view estimator) {
  for (const Rule& rule : kRules)
    if (rule.estimator == estimator) return &rule;
  return nullptr;
}

int BlockOfItsOwn(std::string_view format) {
  if (!HasBlockOfItsOwn(format)) return 0;
  return format.starts_with("mx") ? 32 : 16;
}

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

// Their definition is one of weights; noise on activations would differ between two looks at the same ones.
void CheckNoise(const v1::Quant& quant, Issues* issues) {
  if (quant.estimator() != "gaussws" && quant.estimator() != "diffq") return;
  if (quant.activation().format() == "none") return;
  issues->push_back({"quant.activation.format", fmt::format("{} adds noise to weights only", quant.estimator()),
                     "set it to none", {"quant.estimator", "quant.activation.format"}});
}

void CheckTensor(const v1::Quant& quant, const Rule& rule, const v1::TensorQuant& tensor, const std::string& prefix,
                 Issues* issues) {
  const std::string& format = tensor.format();
  if (format == "none") return;
  if (!rule.accepts(format)) {
    issues->push_back({prefix + ".format", fmt::format("{} has no {}", quant.estimator(), format),
                       fmt::format("use {}", rule.formats), {"quant.estimator", prefix + ".format"}});
  }
  if (!IsInteger(format) && tensor.scheme() != "linear") {
    issues->push_back({prefix + ".scheme", fmt::format("{} has no {} scheme", format, tensor.scheme()),
                       "set it to linear, or remove the key", {prefix + ".format", prefix + ".scheme"}});
  } else if (!rule.scheme.empty() && tensor.scheme() != rule.scheme) {
    issues->push_back({prefix + ".scheme", fmt::format("{} has no {} scheme", quant.estimator(), tensor.scheme()),
                       fmt::format("set it to {}, or remove the key", rule.scheme),
                       {"quant.estimator", prefix + ".scheme"}});
  }
  const int block = BlockOfItsOwn(format);
  if (block > 0 && tensor.block() != block) {
    issues->push_back({prefix + ".block", fmt::format("{} has no blocks of {}", format, tensor.block()),
                       fmt::format("set it to {}, or remove the key", block), {prefix + ".format", prefix + ".block"}});
  }
  if (block > 0 && tensor.granularity() != "block") {
    issues->push_back({prefix + ".granularity", fmt::format("{} has no granularity {}", format, tensor.granularity()),
                       "set it to block, or remove the key", {prefix + ".format", prefix + ".granularity"}});
  }
  if (quant.hadamard() && tensor.granularity() != "block") {
    issues->push_back({prefix + ".granularity", fmt::format("{} has no blocks that quant.hadamard could turn",
                                                            tensor.granularity()),
                       "set it to block, or quant.hadamard to false", {prefix + ".granularity", "quant.hadamard"}});
  }
}

// Formats with a scale or an element of their own are placed by the largest number of a block alone.
std::string_view FormatOnMinMax(const v1::Quant& quant) {
  for (const v1::TensorQuant* tensor : {&quant.weight(), &quant.activation()})
    if (HasBlockOfItsOwn(tensor->format()) || IsBitMod(tensor->format())) return tensor->format();
  return "";
}

// `value` of quant.`key`, against what the estimator has, or else what the formats have.
void CheckShared(const v1::Quant& quant, const std::string& key, const std::string& value, std::string_view of_estimator,
                 std::string_view of_format, Issues* issues) {
  const bool is_grid = key == "quant.grid";
  const std::string wanted(of_estimator.empty() ? of_format : of_estimator);
  if (wanted.empty() || value == wanted) return;
  const std::string owner(of_estimator.empty() ? FormatOnMinMax(quant) : std::string_view(quant.estimator()));
  issues->push_back({key, is_grid ? fmt::format("{} has no {} grid", owner, value)
                                  : fmt::format("{} has no grid_gradient {}", owner, value),
                     fmt::format("set it to {}, or remove the key", wanted), {"quant.estimator", key}});
}

// Refuses `key`, whose value only `estimators` have.
void RefuseKey(const v1::Quant& quant, const std::string& key, std::string_view what, std::string_view estimators,
               Issues* issues) {
  issues->push_back({key, fmt::format("{} has no {}", quant.estimator(), what),
                     fmt::format("remove the key, or use {}", estimators), {"quant.estimator", key}});
}

void CheckControls(const v1::Quant& quant, Issues* issues) {
  const std::string& estimator = quant.estimator();
  const bool has_fit = estimator == "ridge" || estimator == "ridge_trust";
  const bool has_mask = estimator == "quest" || estimator == "ridge_trust";
  const bool detaches = quant.fit_gradient() == "detached";
  if (detaches && !has_fit) RefuseKey(quant, "quant.fit_gradient", "fit to detach", "ridge or ridge_trust", issues);
  if (quant.trust() > 0 && !has_mask) RefuseKey(quant, "quant.trust", "trust mask", "quest or ridge_trust", issues);
  if (!detaches || !has_fit || quant.grid_gradient() == "detached") return;
  issues->push_back({"quant.grid_gradient", "quant.fit_gradient is detached, and leaves no path to a grid in the graph",
                     "set it to detached, or remove the key", {"quant.grid_gradient", "quant.fit_gradient"}});
}

}  // namespace

void FillQuantizerDefaults(v1::Quant* quant) {
  const Rule* rule = RuleOf(quant->estimator());
  static constexpr Rule kNoRule = {"", IsAny, "", "", "", "", "", ""};
  if (rule == nullptr) rule = &kNoRule;
  for (bool is_weight : {true, false}) {
    v1::TensorQuant* tensor = is_weight ? quant->mutable_weight() : quant->mutable_activation();
    if (tensor->has_format() && tensor->format() != "none") FillTensor(*rule, is_weight, tensor);
    else if (rule->scheme == "linear" && !tensor->has_scheme()) tensor->set_scheme("linear");
  }
  if (!rule->grid.empty() && !quant->has_grid()) quant->set_grid(std::string(rule->grid));
  if (!rule->grid_gradient.empty() && !quant->has_grid_gradient())
    quant->set_grid_gradient(std::string(rule->grid_gradient));
}

void CheckQuantizers(const v1::Quant& quant, std::vector<Issue>* issues) {
  CheckControls(quant, issues);
  const Rule* rule = RuleOf(quant.estimator());
  if (rule == nullptr) return;
  const bool on_minmax = !FormatOnMinMax(quant).empty();
  CheckShared(quant, "quant.grid", quant.grid(), rule->grid, on_minmax ? "minmax" : "", issues);
  CheckShared(quant, "quant.grid_gradient", quant.grid_gradient(), rule->grid_gradient, on_minmax ? "detached" : "",
              issues);
  CheckNoise(quant, issues);
  CheckTensor(quant, *rule, quant.weight(), "quant.weight", issues);
  CheckTensor(quant, *rule, quant.activation(), "quant.activation", issues);
}

}  // namespace ridgeline::recipe_internal
