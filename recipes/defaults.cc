// SPDX-License-Identifier: Apache-2.0
// Fills in the schema's defaults, and the three that depend on other keys.
#include <algorithm>

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

// Ternary codes and the grids of quest are symmetric, so affine, the default of all others, does not exist for them.
void FillScheme(const std::string& estimator, v1::TensorQuant* quant) {
  bool is_symmetric = quant->format() == "ternary" || estimator == "quest";
  if (is_symmetric && !quant->has_scheme()) quant->set_scheme("linear");
}

// These two are defined on a Gaussian grid only.
void FillGrid(v1::Quant* quant) {
  bool is_gaussian = quant->estimator() == "quest" || quant->estimator() == "ridge_trust";
  if (is_gaussian && !quant->has_grid()) quant->set_grid("gaussian");
}

}  // namespace

void ApplyRecipeDefaults(v1::Recipe* recipe) {
  v1::Quant* quant = recipe->mutable_quant();
  FillScheme(quant->estimator(), quant->mutable_weight());
  FillScheme(quant->estimator(), quant->mutable_activation());
  FillGrid(quant);
  bool warmup_given = recipe->lr_scheduler().has_warmup_steps();
  FillFromSchema(recipe);
  // A run shorter than the usual warm-up is all warm-up, not an error.
  if (!warmup_given) {
    v1::LrScheduler* scheduler = recipe->mutable_lr_scheduler();
    scheduler->set_warmup_steps(std::min(scheduler->warmup_steps(), recipe->training().steps()));
  }
}

}  // namespace ridgeline
