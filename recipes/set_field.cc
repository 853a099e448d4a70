// SPDX-License-Identifier: Apache-2.0
// --set key=value, and the keys of a sweep.
#include "recipes/set_field.h"

#include "fmt/format.h"
#include "recipes/recipe_reader.h"
#include "recipes/schema.h"
#include "recipes/suggest.h"

namespace ridgeline {
namespace recipe_internal {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Replaces the value of the key if it is there, as a map does.
std::optional<ValueError> SetMapEntry(Message* message, const FieldDescriptor* field, const std::string& map_key,
                                      const std::string& value) {
  for (const std::string* text : {&map_key, &value}) {
    if (std::optional<ValueError> error = CheckText(*text)) return error;
  }
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  const FieldDescriptor* entry_key = field->message_type()->map_key();
  Message* entry = nullptr;
  for (int i = 0; i < reflection.FieldSize(*message, field) && entry == nullptr; ++i) {
    Message* candidate = reflection.MutableRepeatedMessage(message, field, i);
    if (candidate->GetReflection()->GetString(*candidate, entry_key) == map_key) entry = candidate;
  }
  if (entry == nullptr) {
    entry = reflection.AddMessage(message, field);
    entry->GetReflection()->SetString(entry, entry_key, map_key);
  }
  entry->GetReflection()->SetString(entry, field->message_type()->map_value(), value);
  return std::nullopt;
}

bool IsTextMap(const FieldDescriptor* field) {
  return field->is_map() && field->message_type()->map_value()->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
}

ValueError NotAScalar(const std::string& key, const FieldDescriptor* field) {
  std::string kind = TypeName(field);
  std::string message = fmt::format("is a {} and takes no single value", kind);
  if (IsTextMap(field)) return {message, fmt::format("name a key in it, like {}.team", key)};
  if (IsSection(field)) return {message, KeysOf(field->message_type())};
  return {message, "write it in the recipe's file"};
}

}  // namespace

std::optional<ValueError> SetByKey(v1::Recipe* recipe, const std::string& key, const std::string& value) {
  std::optional<ResolvedKey> resolved = ResolveKey(key);
  if (!resolved) return ValueError{fmt::format("unknown key {}", Shown(key)), RemedyForUnknownKey(key)};
  Message* message = recipe;
  for (const FieldDescriptor* parent : resolved->parents) {
    if (parent->is_repeated()) return NotAScalar(key, parent);
    message = message->GetReflection()->MutableMessage(message, parent);
  }
  if (IsScalar(resolved->field)) return SetScalar(message, resolved->field, value, /*quoted=*/false);
  if (IsTextMap(resolved->field) && !resolved->map_key.empty()) {
    return SetMapEntry(message, resolved->field, resolved->map_key, value);
  }
  return NotAScalar(key, resolved->field);
}

}  // namespace recipe_internal

absl::Status SetRecipeField(v1::Recipe* recipe, const std::string& key, const std::string& value) {
  v1::Recipe changed = *recipe;
  if (auto error = recipe_internal::SetByKey(&changed, key, value)) {
    RecipeProblem problem{"", 0, 0, key, error->message, error->remedy};
    return absl::InvalidArgumentError(problem.ToString());
  }
  recipe->Swap(&changed);
  return absl::OkStatus();
}

}  // namespace ridgeline
