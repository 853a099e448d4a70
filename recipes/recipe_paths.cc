// SPDX-License-Identifier: Apache-2.0
#include "recipes/recipe_paths.h"

#include "recipes/schema.h"

namespace ridgeline {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Resolver = std::function<std::string(const std::string&, const v1::FieldDoc&)>;

void ReplaceIn(Message* message, const Resolver& resolve) {
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    const v1::FieldDoc& doc = recipe_internal::DocOf(field);
    if (recipe_internal::IsSection(field)) {
      ReplaceIn(reflection.MutableMessage(message, field), resolve);
    } else if (doc.path() && recipe_internal::IsScalar(field)) {
      reflection.SetString(message, field, resolve(reflection.GetString(*message, field), doc));
    }
  }
}

// What the schema says of the field that a sweep sets by this key, if that is a path.
const v1::FieldDoc* DocOfPath(const std::string& key) {
  const auto resolved = recipe_internal::ResolveKey(key);
  if (!resolved.has_value()) return nullptr;
  const v1::FieldDoc& doc = recipe_internal::DocOf(resolved->field);
  return doc.path() ? &doc : nullptr;
}

}  // namespace

void ReplacePaths(v1::Recipe* recipe, const Resolver& resolve) {
  ReplaceIn(recipe, resolve);
  if (!recipe->has_sweep()) return;
  for (auto& [key, parameter] : *recipe->mutable_sweep()->mutable_parameters()) {
    const v1::FieldDoc* doc = DocOfPath(key);
    if (doc == nullptr) continue;
    for (std::string& path : *parameter.mutable_values()) path = resolve(path, *doc);
  }
  for (v1::SweepCase& one : *recipe->mutable_sweep()->mutable_cases()) {
    for (auto& [key, path] : *one.mutable_set()) {
      if (const v1::FieldDoc* doc = DocOfPath(key); doc != nullptr) path = resolve(path, *doc);
    }
  }
}

}  // namespace ridgeline
