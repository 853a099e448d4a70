// SPDX-License-Identifier: Apache-2.0
// Fills in the schema's defaults, and those that depend on other keys.
#include <algorithm>
#include <vector>

#include "recipes/checks.h"
#include "recipes/quantizer_rules.h"
#include "recipes/recipe_reader.h"
#include "recipes/scalar.h"
#include "recipes/schema.h"

namespace ridgeline {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void FillFromSchema(Message* message) {
  const google::protobuf::Descriptor& descriptor = *message->GetDescriptor();
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor* field = descriptor.field(i);
    if (recipe_internal::IsSection(field)) {
      // A sweep that nobody asked for must not appear.
      bool is_sweep = field->message_type() == v1::Sweep::descriptor();
      if (!is_sweep || reflection.HasField(*message, field)) FillFromSchema(reflection.MutableMessage(message, field));
    } else if (recipe_internal::IsScalar(field) && !reflection.HasField(*message, field)) {
      const std::string& value = recipe_internal::DocOf(field).default_value();
      if (!value.empty()) recipe_internal::SetScalar(message, field, value, /*quoted=*/false);
    }
  }
}

// A run gets to its pattern in its first half, and trains with it in the second.
void FillScheduleSteps(v1::Recipe* recipe) {
  v1::Sparsity* sparsity = recipe->mutable_sparsity();
  if (sparsity->schedule() == "constant" || sparsity->has_schedule_steps()) return;
  sparsity->set_schedule_steps(std::max(1, recipe->training().steps() / 2));
}

// ridge_trust is meant for rotated blocks; where a rule forbids them it does without.
void RotateBlocksIfTheyFit(v1::Recipe* recipe) {
  recipe->mutable_quant()->set_hadamard(true);
  std::vector<recipe_internal::Issue> issues;
  recipe_internal::CheckHadamard(*recipe, &issues);
  recipe_internal::CheckQuantizers(recipe->quant(), &issues);
  recipe->mutable_quant()->set_hadamard(issues.empty());
}

}  // namespace

void ApplyRecipeDefaults(v1::Recipe* recipe) {
  bool hadamard_given = recipe->quant().has_hadamard();
  bool estimator_filled = recipe_internal::FillDefaultEstimator(recipe->mutable_quant());
  recipe_internal::FillQuantizerDefaults(recipe->mutable_quant());
  bool name_given = recipe->model().has_name();
  bool warmup_given = recipe->lr_scheduler().has_warmup_steps();
  FillFromSchema(recipe);
  FillScheduleSteps(recipe);
  if (estimator_filled && !hadamard_given) RotateBlocksIfTheyFit(recipe);
  // Weights that are given have a shape; the default of random ones is not theirs.
  if (recipe->model().has_path() && !name_given) recipe->mutable_model()->clear_name();
  // A run shorter than the usual warm-up is all warm-up, not an error.
  if (!warmup_given) {
    v1::LrScheduler* scheduler = recipe->mutable_lr_scheduler();
    scheduler->set_warmup_steps(std::min(scheduler->warmup_steps(), recipe->training().steps()));
  }
}

}  // namespace ridgeline
