// SPDX-License-Identifier: Apache-2.0
// The schema as people ask for it.
#include "recipes/explain.h"

#include "fmt/format.h"
#include "recipes/scalar.h"
#include "recipes/schema.h"
#include "recipes/suggest.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

FieldExplanation ExplainOne(const std::string& key, const FieldDescriptor* field) {
  const v1::FieldDoc& doc = recipe_internal::DocOf(field);
  FieldExplanation explanation;
  explanation.key = key;
  explanation.type = recipe_internal::TypeName(field);
  explanation.help = doc.help();
  explanation.unit = doc.unit();
  explanation.default_value = doc.default_value();
  explanation.range = recipe_internal::RangeText(doc);
  explanation.one_of = {doc.one_of().begin(), doc.one_of().end()};
  explanation.required = doc.required();
  return explanation;
}

std::vector<FieldExplanation> ExplainChildren(const std::string& prefix, const Descriptor* section) {
  std::vector<FieldExplanation> children;
  for (int i = 0; i < section->field_count(); ++i) {
    const FieldDescriptor* field = section->field(i);
    children.push_back(ExplainOne(recipe_internal::JoinKey(prefix, field->name()), field));
  }
  return children;
}

void CollectLeaves(const std::string& prefix, const Descriptor* section, std::vector<std::string>* keys) {
  for (int i = 0; i < section->field_count(); ++i) {
    const FieldDescriptor* field = section->field(i);
    std::string key = recipe_internal::JoinKey(prefix, field->name());
    if (recipe_internal::IsSection(field)) {
      CollectLeaves(key, field->message_type(), keys);
    } else {
      keys->push_back(key);
    }
  }
}

}  // namespace

absl::StatusOr<FieldExplanation> ExplainField(const std::string& key) {
  if (key.empty()) {
    FieldExplanation top;
    top.type = "section";
    top.help = "A recipe: everything that decides a training job's result.";
    top.children = ExplainChildren("", v1::Recipe::descriptor());
    return top;
  }
  std::optional<recipe_internal::ResolvedKey> resolved = recipe_internal::ResolveKey(key);
  if (!resolved) {
    return absl::NotFoundError(
        fmt::format("unknown key {} ({})", recipe_internal::Shown(key), recipe_internal::RemedyForUnknownKey(key)));
  }
  FieldExplanation explanation = ExplainOne(key, resolved->field);
  bool has_keys = resolved->field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !resolved->field->is_map();
  if (has_keys) explanation.children = ExplainChildren(key, resolved->field->message_type());
  return explanation;
}

std::vector<std::string> AllRecipeKeys() {
  static const auto* const keys = [] {
    auto* collected = new std::vector<std::string>;
    CollectLeaves("", v1::Recipe::descriptor(), collected);
    return collected;
  }();
  return *keys;
}

}  // namespace ridgeline
