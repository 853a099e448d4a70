// SPDX-License-Identifier: Apache-2.0
// Walks over the descriptors of recipe.proto.
#include "recipes/schema.h"

#include <map>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "method/estimator_traits.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline::recipe_internal {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

namespace {

// By their full names, which estimators and formats share with no other field.
using FilledDocs = std::map<std::string, v1::FieldDoc>;

FilledDocs DocsWithNames() {
  FilledDocs docs;
  for (const Descriptor* message : {v1::Quant::descriptor(), v1::TensorQuant::descriptor()})
    for (int i = 0; i < message->field_count(); ++i) {
      const FieldDescriptor* field = message->field(i);
      if (TableOf(field).empty()) continue;
      v1::FieldDoc& doc = docs[field->full_name()] = field->options().GetExtension(v1::doc);
      doc.add_one_of("none");
      if (TableOf(field) == "estimators")
        for (const EstimatorTraits& traits : EveryEstimator()) doc.add_one_of(std::string(traits.name));
      else
        for (Format format : EveryFormat()) doc.add_one_of(std::string(FormatName(format)));
    }
  return docs;
}

}  // namespace

std::string_view TableOf(const FieldDescriptor* field) {
  const Descriptor* message = field->containing_type();
  if (message != v1::Quant::descriptor() && message != v1::TensorQuant::descriptor()) return "";
  return field->name() == "estimator" ? "estimators" : field->name() == "format" ? "formats" : "";
}

const v1::FieldDoc& DocOf(const FieldDescriptor* field) {
  static const FilledDocs& with_names = *new FilledDocs(DocsWithNames());
  if (TableOf(field).empty()) return field->options().GetExtension(v1::doc);
  return with_names.at(field->full_name());
}

bool IsSection(const FieldDescriptor* field) {
  return field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated();
}

bool IsScalar(const FieldDescriptor* field) {
  return field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated();
}

bool IsTextList(const FieldDescriptor* field) {
  return field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
}

std::string TypeName(const FieldDescriptor* field) {
  if (field->is_map()) return "map";
  if (IsTextList(field)) return "list of text";
  if (field->is_repeated()) return "list";
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "section";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true/false";
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return "number";
    case FieldDescriptor::CPPTYPE_STRING:
      return "text";
    default:
      return "integer";
  }
}

std::string RangeText(const v1::FieldDoc& doc) {
  if (doc.has_min() && doc.has_max() && doc.exclusive_min()) {
    return fmt::format("over {}, up to {}", doc.min(), doc.max());
  }
  if (doc.has_min() && doc.has_max()) return fmt::format("{} to {}", doc.min(), doc.max());
  if (doc.has_min()) return fmt::format("{} {}", doc.exclusive_min() ? "over" : "at least", doc.min());
  if (doc.has_max()) return fmt::format("up to {}", doc.max());
  return "";
}

std::string AllowedText(const v1::FieldDoc& doc) {
  if (doc.one_of_size() > 0) return fmt::format("allowed: {}", fmt::join(doc.one_of(), ", "));
  std::string range = RangeText(doc);
  if (range.empty()) return "";
  return fmt::format("allowed: {}{}{}", range, doc.unit().empty() ? "" : " ", doc.unit());
}

std::string JoinKey(std::string_view prefix, std::string_view name) {
  return prefix.empty() ? std::string(name) : fmt::format("{}.{}", prefix, name);
}

std::optional<ResolvedKey> ResolveKey(std::string_view key) {
  ResolvedKey resolved;
  const Descriptor* at = v1::Recipe::descriptor();
  while (true) {
    size_t dot = key.find('.');
    resolved.field = at->FindFieldByName(std::string(key.substr(0, dot)));
    if (resolved.field == nullptr) return std::nullopt;
    if (dot == std::string_view::npos) return resolved;
    key.remove_prefix(dot + 1);
    if (resolved.field->is_map()) {
      if (key.empty()) return std::nullopt;
      resolved.map_key = std::string(key);
      return resolved;
    }
    if (resolved.field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return std::nullopt;
    resolved.parents.push_back(resolved.field);
    at = resolved.field->message_type();
  }
}

}  // namespace ridgeline::recipe_internal
