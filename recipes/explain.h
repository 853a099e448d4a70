// SPDX-License-Identifier: Apache-2.0
// What the schema says about a recipe key, for `ridgeline explain`.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ridgeline {

struct FieldExplanation {
  std::string key;   // "training.seq_len"
  std::string type;  // "integer", "number", "text", "true/false", "section", "list", "list of text", "map"
  std::string help;
  std::string unit;
  std::string default_value;
  std::string range;  // "2 to 131072", "over 0, up to 10"; empty if unbounded
  std::vector<std::string> one_of;
  bool required = false;
  std::vector<FieldExplanation> children;  // Of a section, one level down.
};

// "" explains the top level. NOT_FOUND with a 'did you mean' for an unknown key.
absl::StatusOr<FieldExplanation> ExplainField(const std::string& key);

// Every leaf key in the schema's order, for docs, completion and suggestions.
std::vector<std::string> AllRecipeKeys();

}  // namespace ridgeline
