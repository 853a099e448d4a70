// SPDX-License-Identifier: Apache-2.0
// What the schema's options demand of each field.
#include <algorithm>
#include <map>

#include "fmt/format.h"
#include "google/protobuf/unknown_field_set.h"
#include "recipes/checks.h"
#include "recipes/scalar.h"
#include "recipes/schema.h"
#include "recipes/suggest.h"

namespace ridgeline::recipe_internal {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

double NumericValue(const Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(message, field);
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return static_cast<double>(reflection.GetInt64(message, field));
    default:
      return 0;
  }
}

// False for a nan as well.
bool InRange(double value, const v1::FieldDoc& doc) {
  if (doc.has_min() && !(doc.exclusive_min() ? value > doc.min() : value >= doc.min())) return false;
  return !doc.has_max() || value <= doc.max();
}

void CheckTextField(const std::string& text, const std::string& key, const v1::FieldDoc& doc,
                    std::vector<Issue>* issues) {
  if (auto error = CheckText(text)) {
    issues->push_back({key, error->message, error->remedy, {}});
  } else if (text.empty()) {
    issues->push_back({key, "is empty", "write a value, or remove the key", {}});
  } else if (doc.one_of_size() > 0 && std::find(doc.one_of().begin(), doc.one_of().end(), text) == doc.one_of().end()) {
    std::vector<std::string> near = NearestValues(text, {doc.one_of().begin(), doc.one_of().end()});
    std::string remedy = near.empty() ? "" : DidYouMean(near, "", "") + " ";
    issues->push_back({key, fmt::format("{} is not allowed", Shown(text)), remedy + AllowedText(doc), {}});
  }
}

constexpr int kMaxListItems = 1'000;
constexpr size_t kMaxItemBytes = 200;

void CheckTextList(const Message& message, const FieldDescriptor* field, const std::string& key,
                   std::vector<Issue>* issues) {
  const int count = message.GetReflection()->FieldSize(message, field);
  if (count > kMaxListItems) {
    issues->push_back({key, fmt::format("has {} items", count), fmt::format("at most {}", kMaxListItems), {key}});
    return;
  }
  for (int i = 0; i < count; ++i) {
    const std::string text = message.GetReflection()->GetRepeatedString(message, field, i);
    const std::string item = fmt::format("{}[{}]", key, i);
    if (auto error = CheckText(text)) {
      issues->push_back({item, error->message, error->remedy, {item}});
    } else if (text.empty()) {
      issues->push_back({item, "is empty", "write a value, or remove the item", {item}});
    } else if (text.size() > kMaxItemBytes) {
      issues->push_back(
          {item, fmt::format("{} is too long", Shown(text)), fmt::format("at most {} bytes", kMaxItemBytes), {item}});
    }
  }
}

std::string RemedyForMissing(const std::string& key, const v1::FieldDoc& doc) {
  size_t dot = key.rfind('.');
  if (dot == std::string::npos) return fmt::format("add `{}:`; {}", key, doc.help());
  return fmt::format("add `{}:` under `{}`; {}", key.substr(dot + 1), key.substr(0, dot), doc.help());
}

void CheckScalar(const Message& message, const FieldDescriptor* field, const std::string& key,
                 std::vector<Issue>* issues) {
  const v1::FieldDoc& doc = DocOf(field);
  if (!message.GetReflection()->HasField(message, field)) {
    if (doc.required()) issues->push_back({key, "is required", RemedyForMissing(key, doc), {key}});
  } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    CheckTextField(ScalarText(message, field), key, doc, issues);
  } else if (!InRange(NumericValue(message, field), doc)) {
    issues->push_back({key, fmt::format("{} is out of range", ScalarText(message, field)), AllowedText(doc), {}});
  }
}

void CheckUnknownFields(const Message& message, const std::string& prefix, std::vector<Issue>* issues) {
  int count = message.GetReflection()->GetUnknownFields(message).field_count();
  if (count == 0) return;
  issues->push_back({prefix,
                     fmt::format("{} fields are unknown to version {}", count, RIDGELINE_VERSION),
                     "use the same version everywhere",
                     {}});
}

}  // namespace

void CheckFields(const Message& message, const std::string& prefix, std::vector<Issue>* issues) {
  const google::protobuf::Descriptor& descriptor = *message.GetDescriptor();
  const Reflection& reflection = *message.GetReflection();
  CheckUnknownFields(message, prefix, issues);
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor* field = descriptor.field(i);
    // Labels have rules of their own; a sweep's keys and values are checked as the fields that they set.
    if (field->is_map() || field->message_type() == v1::Sweep::descriptor()) continue;
    std::string key = JoinKey(prefix, field->name());
    if (IsScalar(field)) {
      CheckScalar(message, field, key, issues);
    } else if (IsSection(field)) {
      CheckFields(reflection.GetMessage(message, field), key, issues);
    } else if (IsTextList(field)) {
      CheckTextList(message, field, key, issues);
    } else {
      for (int k = 0; k < reflection.FieldSize(message, field); ++k) {
        CheckFields(reflection.GetRepeatedMessage(message, field, k), fmt::format("{}[{}]", key, k), issues);
      }
    }
  }
}

}  // namespace ridgeline::recipe_internal
