// SPDX-License-Identifier: Apache-2.0
// One scalar between its YAML text and its protobuf field. Strict: what a reader could take for something else
// (12.0 for an integer, yes for true, nan) is refused. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "google/protobuf/message.h"

namespace ridgeline::recipe_internal {

// What is wrong with a value, and what to write instead.
struct ValueError {
  std::string message;
  std::string remedy;
};

inline constexpr size_t kMaxTextBytes = 4096;

// The value in quotes, escaped and cut to a length that fits into a message.
std::string Shown(std::string_view text);

// Text that is safe to print and store: valid UTF-8, no control characters, at most kMaxTextBytes.
std::optional<ValueError> CheckText(std::string_view text);

// Parses `text` into the scalar field of `message`. `quoted`: it stood in quotes, so it is no number.
std::optional<ValueError> SetScalar(google::protobuf::Message* message, const google::protobuf::FieldDescriptor* field,
                                    std::string_view text, bool quoted);

// The field's value as SetScalar reads it.
std::string ScalarText(const google::protobuf::Message& message, const google::protobuf::FieldDescriptor* field);

}  // namespace ridgeline::recipe_internal
