// SPDX-License-Identifier: Apache-2.0
// Rules that look at more than one key, and those that the schema's options cannot say.
#include <algorithm>

#include "fmt/format.h"
#include "recipes/checks.h"
#include "recipes/quantizer_rules.h"
#include "recipes/scalar.h"
#include "recipes/tensor_quant.h"

namespace ridgeline::recipe_internal {
namespace {

constexpr size_t kMaxNameBytes = 200;
constexpr int kMaxLabels = 64;
constexpr size_t kMaxLabelKeyBytes = 63;
constexpr size_t kMaxLabelValueBytes = 255;

using Issues = std::vector<Issue>;

void CheckName(const v1::Recipe& full, Issues* issues) {
  if (full.name().size() <= kMaxNameBytes) return;
  issues->push_back(
      {"name", fmt::format("{} is too long", Shown(full.name())), fmt::format("at most {} bytes", kMaxNameBytes), {}});
}

// Keys must work in a selector: `--selector team=vision,kind=demo`.
bool IsLabelKey(const std::string& key) {
  static constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/";
  return !key.empty() && key.size() <= kMaxLabelKeyBytes && key.find_first_not_of(kAllowed) == std::string::npos;
}

void CheckLabels(const v1::Recipe& full, Issues* issues) {
  if (full.labels_size() > kMaxLabels) {
    issues->push_back({"labels",
                       fmt::format("{} labels are too many", full.labels_size()),
                       fmt::format("at most {}", kMaxLabels),
                       {}});
    return;
  }
  size_t first_issue = issues->size();
  for (const auto& [key, value] : full.labels()) {
    std::string full_key = "labels." + key;
    if (!IsLabelKey(key)) {
      issues->push_back({full_key,
                         fmt::format("{} cannot be a label's key", Shown(key)),
                         fmt::format("use letters, digits and _ . - /, at most {} bytes", kMaxLabelKeyBytes),
                         {}});
    } else if (auto error = CheckText(value)) {
      issues->push_back({full_key, error->message, error->remedy, {}});
    } else if (value.size() > kMaxLabelValueBytes) {
      issues->push_back({full_key,
                         fmt::format("{} is too long", Shown(value)),
                         fmt::format("at most {} bytes", kMaxLabelValueBytes),
                         {}});
    }
  }
  // A protobuf map has no order.
  std::sort(issues->begin() + first_issue, issues->end(), [](const Issue& a, const Issue& b) { return a.key < b.key; });
}

void CheckSchedule(const v1::Recipe& full, Issues* issues) {
  int warmup = full.lr_scheduler().warmup_steps();
  int steps = full.training().steps();
  if (warmup <= steps) return;
  issues->push_back({"lr_scheduler.warmup_steps",
                     fmt::format("{} is over training.steps, which is {}", warmup, steps),
                     fmt::format("at most {}", steps),
                     {"lr_scheduler.warmup_steps", "training.steps"}});
}

void CheckTraining(const v1::Recipe& full, Issues* issues) {
  const v1::Training& training = full.training();
  if (training.local_batch_size() > training.global_batch_size()) {
    issues->push_back({"training.local_batch_size",
                       fmt::format("{} is over training.global_batch_size, which is {}", training.local_batch_size(),
                                   training.global_batch_size()),
                       fmt::format("at most {}", training.global_batch_size()),
                       {"training.local_batch_size", "training.global_batch_size"}});
  }
  if (training.deterministic() && training.local_batch_size() > 1) {
    issues->push_back({"training.local_batch_size",
                       fmt::format("{} sequences at once, and training.deterministic passes them one at a time",
                                   training.local_batch_size()),
                       "leave it out",
                       {"training.local_batch_size", "training.deterministic"}});
  }
  if (training.distill().weight() > 0 && !full.model().has_path()) {
    issues->push_back({"training.distill.weight",
                       fmt::format("{} needs a teacher, and model.path is not set", training.distill().weight()),
                       "set model.path to the teacher's weights, or the weight to 0",
                       {"training.distill.weight", "model.path"}});
  }
}

// A tensor's format and estimator come together.
void CheckEstimatorAndFormat(const v1::Quant& quant, const v1::TensorQuant& tensor, const std::string& prefix,
                             Issues* issues) {
  const std::string own = prefix + ".estimator", format = prefix + ".format";
  const std::string& estimator = EstimatorOfTensor(quant, tensor);
  if (tensor.format() != "none" && estimator == "none") {
    const std::string key = tensor.has_estimator() ? own : "quant.estimator";
    issues->push_back({format,
                       fmt::format("{} needs an estimator, and {} is none", tensor.format(), key),
                       fmt::format("set {} to {}, or the format to none", key, EstimatorsFor(tensor.format())),
                       {format, key}});
  }
  if (tensor.format() == "none" && tensor.has_estimator() && estimator != "none") {
    issues->push_back({own,
                       fmt::format("{} has nothing to quantize: {} is none", estimator, format),
                       fmt::format("set {}, or remove the key", format),
                       {own, format}});
  }
}

void CheckEstimator(const v1::Recipe& full, Issues* issues) {
  const v1::Quant& quant = full.quant();
  CheckEstimatorAndFormat(quant, quant.weight(), "quant.weight", issues);
  CheckEstimatorAndFormat(quant, quant.activation(), "quant.activation", issues);
  if (quant.estimator() == "none" || quant.weight().format() != "none" || quant.activation().format() != "none") return;
  issues->push_back(
      {"quant.estimator",
       fmt::format("{} has nothing to quantize: the formats of weight and activation are none", quant.estimator()),
       "set quant.weight.format or quant.activation.format, or the estimator to none",
       {"quant.estimator", "quant.weight.format", "quant.activation.format"}});
}

// What a recipe alone says about a GGUF with codes; plan/ looks at the network's rows.
void CheckExport(const v1::Recipe& full, Issues* issues) {
  if (full.export_().weights() != "gguf") return;
  if (!full.model().has_path())
    issues->push_back({"export.weights",
                       "gguf takes metadata and tokenizer from the GGUF at model.path, which is not set",
                       "set model.path to a Gemma 3 in GGUF, or this to packed or safetensors",
                       {"export.weights", "model.path"}});
  if (full.quant().hadamard() && IsQuantized(full.quant(), full.quant().weight()))
    issues->push_back({"quant.hadamard",
                       "rotates weights, and llama.cpp does not rotate inputs: export.weights gguf cannot hold them",
                       "set it to false, or export.weights to packed",
                       {"quant.hadamard", "export.weights"}});
}

}  // namespace

void CheckRules(const v1::Recipe& full, std::vector<Issue>* issues) {
  CheckName(full, issues);
  CheckLabels(full, issues);
  CheckModel(full, issues);
  CheckSparsity(full, issues);
  CheckTraining(full, issues);
  CheckParallelism(full, issues);
  CheckSchedule(full, issues);
  CheckEstimator(full, issues);
  CheckQuantizers(full.quant(), issues);
  CheckExport(full, issues);
}

}  // namespace ridgeline::recipe_internal
