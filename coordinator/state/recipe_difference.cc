// SPDX-License-Identifier: Apache-2.0
// Walks both recipes by their descriptor, so that a new key of the schema needs nothing here.
#include "coordinator/state/recipe_difference.h"

#include <google/protobuf/text_format.h>

#include <string>
#include <string_view>
#include <utility>

namespace ridgeline {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;
using StringMap = google::protobuf::Map<std::string, std::string>;

bool Has(const Message& message, const FieldDescriptor* field) {
  const auto* reflection = message.GetReflection();
  return field->is_repeated() ? reflection->FieldSize(message, field) > 0 : reflection->HasField(message, field);
}

bool ItemsEqual(const Message& a, const Message& b, const FieldDescriptor* field, int index) {
  std::string text_a, text_b;
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && field->is_repeated()) {
    return a.GetReflection()->GetRepeatedStringReference(a, field, index, &text_a) ==
           b.GetReflection()->GetRepeatedStringReference(b, field, index, &text_b);
  }
  TextFormat::PrintFieldValueToString(a, field, index, &text_a);
  TextFormat::PrintFieldValueToString(b, field, index, &text_b);
  return text_a == text_b;
}

bool FieldsEqual(const Message& a, const Message& b, const FieldDescriptor* field) {
  if (!field->is_repeated()) return ItemsEqual(a, b, field, -1);
  const int size = a.GetReflection()->FieldSize(a, field);
  if (b.GetReflection()->FieldSize(b, field) != size) return false;
  for (int i = 0; i < size; ++i) {
    if (!ItemsEqual(a, b, field, i)) return false;
  }
  return true;
}

// Takes the entries of `base` out of `own`; false if `own` lacks one of them, and nothing is taken.
bool KeepNewEntries(const StringMap& base, StringMap* own) {
  for (const auto& [key, value] : base) {
    if (!own->contains(key)) return false;
  }
  for (const auto& [key, value] : base) {
    if (own->at(key) == value) own->erase(key);
  }
  return true;
}

// Leaves in `own` what differs from `base`, but for the recipe's labels, which are many. Another map is kept whole.
void KeepDifference(const Message& base, Message* own, const std::string& prefix, v1::RecipeDifference* difference) {
  const auto* reflection = own->GetReflection();
  for (int i = 0; i < own->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = own->GetDescriptor()->field(i);
    const std::string key = prefix + field->name();
    if (field->message_type() == v1::Sweep::descriptor() || key == "labels" || !Has(base, field)) continue;
    if (!Has(*own, field)) {
      difference->add_cleared(key);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated()) {
      Message* section = reflection->MutableMessage(own, field);
      KeepDifference(reflection->GetMessage(base, field), section, key + ".", difference);
      if (section->ByteSizeLong() == 0) reflection->ClearField(own, field);
    } else if (FieldsEqual(base, *own, field)) {
      reflection->ClearField(own, field);
    } else if (field->is_repeated()) {
      difference->add_cleared(key);
    }
  }
}

void ClearKey(std::string_view key, Message* message) {
  const size_t dot = key.find('.');
  const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(std::string(key.substr(0, dot)));
  if (field == nullptr || !Has(*message, field)) return;
  if (dot == std::string_view::npos) {
    message->GetReflection()->ClearField(message, field);
  } else if (!field->is_repeated() && field->message_type() != nullptr) {
    ClearKey(key.substr(dot + 1), message->GetReflection()->MutableMessage(message, field));
  }
}

}  // namespace

v1::RecipeDifference DifferenceBetween(const v1::Recipe& base, v1::Recipe changed) {
  v1::RecipeDifference difference;
  KeepDifference(base, &changed, "", &difference);
  if (!KeepNewEntries(base.labels(), changed.mutable_labels())) difference.add_cleared("labels");
  *difference.mutable_set() = std::move(changed);
  return difference;
}

void ApplyDifference(const v1::RecipeDifference& difference, v1::Recipe* recipe) {
  for (const std::string& key : difference.cleared()) ClearKey(key, recipe);
  recipe->MergeFrom(difference.set());
}

void HoldDifference(const v1::Recipe& parent_recipe, v1::Job* child) {
  *child->mutable_recipe_difference() = DifferenceBetween(parent_recipe, std::move(*child->mutable_recipe()));
  child->clear_recipe();
  child->clear_labels();
}

}  // namespace ridgeline
