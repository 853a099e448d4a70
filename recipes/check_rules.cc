// SPDX-License-Identifier: Apache-2.0
// Rules that look at more than one key, and those that the schema's options cannot say.
#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "recipes/checks.h"
#include "recipes/scalar.h"

namespace ridgeline::recipe_internal {
namespace {

constexpr size_t kMaxNameBytes = 200;
constexpr int kMaxLabels = 64;
constexpr size_t kMaxLabelKeyBytes = 63;
constexpr size_t kMaxLabelValueBytes = 255;

using Issues = std::vector<Issue>;

void CheckName(const v1::Recipe& full, Issues* issues) {
  if (full.name().size() <= kMaxNameBytes) return;
  issues->push_back({"name", fmt::format("{} is too long", Shown(full.name())),
                     fmt::format("at most {} bytes", kMaxNameBytes), {}});
}

// Keys must work in a selector: `--selector team=vision,kind=demo`.
bool IsLabelKey(const std::string& key) {
  static constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/";
  return !key.empty() && key.size() <= kMaxLabelKeyBytes && key.find_first_not_of(kAllowed) == std::string::npos;
}

void CheckLabels(const v1::Recipe& full, Issues* issues) {
  if (full.labels_size() > kMaxLabels) {
    issues->push_back({"labels", fmt::format("{} labels are too many", full.labels_size()),
                       fmt::format("at most {}", kMaxLabels), {}});
    return;
  }
  size_t first_issue = issues->size();
  for (const auto& [key, value] : full.labels()) {
    std::string full_key = "labels." + key;
    if (!IsLabelKey(key)) {
      issues->push_back({full_key, fmt::format("{} cannot be a label's key", Shown(key)),
                         fmt::format("use letters, digits and _ . - /, at most {} bytes", kMaxLabelKeyBytes), {}});
    } else if (auto error = CheckText(value)) {
      issues->push_back({full_key, error->message, error->remedy, {}});
    } else if (value.size() > kMaxLabelValueBytes) {
      issues->push_back({full_key, fmt::format("{} is too long", Shown(value)),
                         fmt::format("at most {} bytes", kMaxLabelValueBytes), {}});
    }
  }
  // A protobuf map has no order.
  std::sort(issues->begin() + first_issue, issues->end(), [](const Issue& a, const Issue& b) { return a.key < b.key; });
}

struct Shape {
  int dim;
  int n_heads;
};

Shape NamedShape(const std::string& name) {
  if (name == "gpt-nano") return {128, 4};
  if (name == "gpt-11m") return {384, 6};
  return {0, 0};
}

void CheckModel(const v1::Recipe& full, Issues* issues) {
  const v1::Model& model = full.model();
  if (model.name() == "gpt") {
    const std::pair<const char*, bool> needed[] = {
        {"model.n_layers", model.has_n_layers()},
        {"model.dim", model.has_dim()},
        {"model.n_heads", model.has_n_heads()}};
    for (const auto& [key, given] : needed) {
      if (given) continue;
      issues->push_back({key, "is required by model.name gpt", "set it, or name a shape like gpt-nano",
                         {key, "model.name"}});
    }
  }
  Shape shape = NamedShape(model.name());
  int dim = model.has_dim() ? model.dim() : shape.dim;
  int n_heads = model.has_n_heads() ? model.n_heads() : shape.n_heads;
  if (dim <= 0 || n_heads <= 0 || dim % n_heads == 0) return;
  issues->push_back({model.has_n_heads() ? "model.n_heads" : "model.dim",
                     fmt::format("{} heads do not divide the width {}", n_heads, dim),
                     "make model.dim a multiple of model.n_heads", {"model.name", "model.dim", "model.n_heads"}});
}

void CheckSchedule(const v1::Recipe& full, Issues* issues) {
  int warmup = full.lr_scheduler().warmup_steps();
  int steps = full.training().steps();
  if (warmup <= steps) return;
  issues->push_back({"lr_scheduler.warmup_steps", fmt::format("{} is over training.steps, which is {}", warmup, steps),
                     fmt::format("at most {}", steps), {"lr_scheduler.warmup_steps", "training.steps"}});
}

void CheckEstimator(const v1::Recipe& full, Issues* issues) {
  const v1::Quant& quant = full.quant();
  bool estimates = quant.estimator() != "none";
  bool quantizes = false;
  for (const auto& [tensor, format] : {std::pair<const char*, std::string>{"weight", quant.weight().format()},
                                       {"activation", quant.activation().format()}}) {
    if (format == "none") continue;
    quantizes = true;
    if (estimates) continue;
    std::string key = fmt::format("quant.{}.format", tensor);
    issues->push_back({key,
                       fmt::format("{} needs an estimator, and quant.estimator is none", format),
                       "set quant.estimator to ridge_trust, quest, ridge or ste, or the format to none", {key, "quant.estimator"}});
  }
  if (estimates && !quantizes) {
    issues->push_back({"quant.estimator",
                       fmt::format("{} has nothing to quantize: the formats of weight and activation are none",
                                   quant.estimator()),
                       "set quant.weight.format or quant.activation.format, or the estimator to none",
                       {"quant.estimator", "quant.weight.format", "quant.activation.format"}});
  }
}

void CheckScheme(const v1::Quant& all, const v1::TensorQuant& quant, const std::string& prefix, Issues* issues) {
  if (quant.format() == "none" || quant.scheme() == "linear") return;
  if (quant.format() == "ternary") {
    issues->push_back({prefix + ".scheme", fmt::format("ternary has no {} scheme", quant.scheme()),
                       "set it to linear, or remove the key", {prefix + ".format", prefix + ".scheme"}});
  } else if (all.estimator() == "quest") {
    issues->push_back({prefix + ".scheme", fmt::format("quest has no {} scheme", quant.scheme()),
                       "set it to linear, or remove the key", {"quant.estimator", prefix + ".scheme"}});
  }
}

// quest and ridge_trust trust what a Gaussian grid, which they never differentiate, does not clip.
void CheckGrid(const v1::Quant& quant, Issues* issues) {
  if (quant.estimator() != "quest" && quant.estimator() != "ridge_trust") return;
  if (quant.grid() != "gaussian") {
    issues->push_back({"quant.grid", fmt::format("{} has no {} grid", quant.estimator(), quant.grid()),
                       "set it to gaussian, or remove the key", {"quant.estimator", "quant.grid"}});
  }
  if (quant.grid_gradient() != "detached") {
    issues->push_back({"quant.grid_gradient",
                       fmt::format("{} has no grid_gradient {}", quant.estimator(), quant.grid_gradient()),
                       "set it to detached, or remove the key", {"quant.estimator", "quant.grid_gradient"}});
  }
}

// Rows are as long as the model is wide, or four times that: a block that divides the width leaves no tail.
void CheckHadamard(const v1::Recipe& full, const v1::TensorQuant& quant, const std::string& prefix, Issues* issues) {
  if (!full.quant().hadamard() || full.quant().estimator() == "none" || quant.format() == "none") return;
  const std::string key = prefix + ".block";
  const int block = quant.block();
  if (block > 0 && (block & (block - 1)) != 0) {
    issues->push_back({key, fmt::format("{} is not a power of two, and quant.hadamard is true", block),
                       "set it to a power of two such as 64 or 128", {key, "quant.hadamard"}});
    return;
  }
  const int dim = full.model().has_dim() ? full.model().dim() : NamedShape(full.model().name()).dim;
  if (block <= 0 || dim <= 0 || dim % block == 0) return;
  issues->push_back({key, fmt::format("{} does not divide the width {}, and Hadamard blocks have no tail", block, dim),
                     "set it to a power of two that divides model.dim, or quant.hadamard to false",
                     {key, "quant.hadamard", "model.name", "model.dim"}});
}

}  // namespace

void CheckRules(const v1::Recipe& full, std::vector<Issue>* issues) {
  CheckName(full, issues);
  CheckLabels(full, issues);
  CheckModel(full, issues);
  CheckSchedule(full, issues);
  CheckEstimator(full, issues);
  CheckGrid(full.quant(), issues);
  for (const auto& [prefix, tensor] :
       {std::pair<const char*, const v1::TensorQuant*>{"quant.weight", &full.quant().weight()},
        {"quant.activation", &full.quant().activation()}}) {
    CheckScheme(full.quant(), *tensor, prefix, issues);
    CheckHadamard(full, *tensor, prefix, issues);
  }
}

}  // namespace ridgeline::recipe_internal
