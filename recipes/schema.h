// SPDX-License-Identifier: Apache-2.0
// What the descriptors of recipe.proto say about keys: every part of this room asks here, so that the schema
// stays the only list of keys. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "ridgeline/v1/options.pb.h"

namespace ridgeline::recipe_internal {

// "estimators" or "formats", whose names are the field's allowed values beside none; empty for all other fields.
std::string_view TableOf(const google::protobuf::FieldDescriptor* field);

// The field option, with the names of the field's table; an empty one where the schema gives none. Lives as long as the
// process.
const v1::FieldDoc& DocOf(const google::protobuf::FieldDescriptor* field);

// A message that is not in a list or map.
bool IsSection(const google::protobuf::FieldDescriptor* field);

// Not a message, list or map.
bool IsScalar(const google::protobuf::FieldDescriptor* field);

// A list of plain texts.
bool IsTextList(const google::protobuf::FieldDescriptor* field);

// "integer", "number", "text", "true/false", "section", "list", "list of text", "map".
std::string TypeName(const google::protobuf::FieldDescriptor* field);

// "2 to 131072", "over 0, up to 10", "at least 1"; empty if unbounded.
std::string RangeText(const v1::FieldDoc& doc);

// "allowed: none, ridge, ste" or "allowed: 1 to 128 layers"; empty if anything of the type goes.
std::string AllowedText(const v1::FieldDoc& doc);

std::string JoinKey(std::string_view prefix, std::string_view name);

// A dotted key, followed through sections, lists ("sweep.cases.name") and maps, whose own key takes all the rest.
struct ResolvedKey {
  std::vector<const google::protobuf::FieldDescriptor*> parents;  // Sections and lists above the field.
  const google::protobuf::FieldDescriptor* field = nullptr;
  std::string map_key;  // "team" in "labels.team".
};

// Nothing if there is no such key in the schema.
std::optional<ResolvedKey> ResolveKey(std::string_view key);

}  // namespace ridgeline::recipe_internal
