// SPDX-License-Identifier: Apache-2.0
// By what a coordinator and a worker know that they mean the same by a recipe.
#pragma once

#include <string>

#include "google/protobuf/descriptor.h"

namespace ridgeline {

// SHA-256, 64 hex digits, over the names, numbers, types and cardinalities of a message's fields and of all messages
// and enums that they lead to, in the order of their numbers. Help texts, ranges and defaults are no part of it, nor is
// the order in which a .proto lists fields. Two programs with different hashes would drop each other's fields in
// silence.
std::string SchemaHash(const google::protobuf::Descriptor& message);

// That of v1::Recipe. Computed once. Thread-safe.
const std::string& RecipeSchemaHash();

}  // namespace ridgeline
