// SPDX-License-Identifier: Apache-2.0
// Rules about sparsity, with a quantizer or without one.
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "fmt/format.h"
#include "method/problems.h"
#include "recipes/checks.h"
#include "recipes/model_shapes.h"
#include "recipes/quantizer_rules.h"
#include "recipes/scalar.h"
#include "recipes/tensor_quant.h"

namespace ridgeline::recipe_internal {
namespace {

using Issues = std::vector<Issue>;

constexpr char kPatternKey[] = "sparsity.pattern";

// 1 to kLargestSparsityGroup in plain digits; 0 for all else.
int ParseCount(std::string_view text) {
  int count = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, count);
  const bool is_plain = error == std::errc() && stop == end && text[0] != '0' && text[0] != '-';
  return is_plain && count <= kLargestSparsityGroup ? count : 0;
}

std::optional<SparsityPattern> ParsePattern(std::string_view text) {
  if (text == "dense") return SparsityPattern{};
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const SparsityPattern pattern{ParseCount(text.substr(0, colon)), ParseCount(text.substr(colon + 1))};
  if (pattern.n < 1 || pattern.n > pattern.m) return std::nullopt;
  return pattern;
}

void CheckScheduleSteps(const v1::Recipe& full, Issues* issues) {
  const int given = full.sparsity().schedule_steps();
  const int steps = full.training().steps();
  if (given <= steps) return;
  issues->push_back({"sparsity.schedule_steps",
                     fmt::format("{} is over training.steps, which is {}", given, steps),
                     fmt::format("at most {}", steps),
                     {"sparsity.schedule_steps", "training.steps"}});
}

// A pruned weight must be a number of its grid, and a group must not lie in two blocks.
void CheckQuantizer(const v1::Recipe& full, const SparsityPattern& pattern, Issues* issues) {
  if (!IsQuantized(full.quant(), full.quant().weight())) return;
  absl::StatusOr<QuantizerSpec> spec = SpecOfTensor(full.quant(), Side::kWeight);
  if (!spec.ok()) return;  // Said of the word that is not allowed.
  spec->sparsity = pattern;
  for (const SpecProblem& problem : ProblemsOf(*spec, Side::kWeight))
    if (problem.cause == SpecField::kSparsity) issues->push_back(IssueOf(problem, full.quant(), Side::kWeight));
}

// SR-STE moves what is pruned.
void CheckMaskDecay(const v1::Recipe& full, Issues* issues) {
  if (!(full.sparsity().mask_decay() > 0)) return;
  issues->push_back({"sparsity.mask_decay",
                     fmt::format("{} has nothing to decay: {} is {}", full.sparsity().mask_decay(), kPatternKey,
                                 full.sparsity().pattern()),
                     fmt::format("set {} to a pattern such as 2:4, or remove the key", kPatternKey),
                     {"sparsity.mask_decay", kPatternKey}});
}

void CheckRows(const v1::Recipe& full, const SparsityPattern& pattern, Issues* issues) {
  for (int64_t length : RowLengths(full.model())) {
    if (length % pattern.m == 0) continue;
    issues->push_back({kPatternKey,
                       fmt::format("groups of {} do not divide rows of {} features", pattern.m, length),
                       "choose a pattern whose M divides them",
                       {kPatternKey, "model.name", "model.dim"}});
    return;
  }
}

}  // namespace

void CheckSparsity(const v1::Recipe& full, Issues* issues) {
  CheckScheduleSteps(full, issues);
  const std::optional<SparsityPattern> pattern = ParsePattern(full.sparsity().pattern());
  if (!pattern) {
    issues->push_back(
        {kPatternKey,
         fmt::format("{} is no pattern", Shown(full.sparsity().pattern())),
         fmt::format("write dense, or N:M with 1 <= N <= M <= {}, like 2:4, 4:8 or 1:4", kLargestSparsityGroup),
         {kPatternKey}});
    return;
  }
  if (!pattern->is_sparse()) return CheckMaskDecay(full, issues);
  CheckQuantizer(full, *pattern, issues);
  CheckRows(full, *pattern, issues);
}

}  // namespace ridgeline::recipe_internal
