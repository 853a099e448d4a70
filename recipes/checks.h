// SPDX-License-Identifier: Apache-2.0
// Checks of one recipe that is no sweep, or of one child of a sweep. They know keys, not places: ValidateRecipe
// and ReadRecipe add those. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline::recipe_internal {

struct Issue {
  std::string key;
  std::string message;
  std::string remedy;
  std::vector<std::string> depends_on;  // If one of these is broken, the issue only follows from that.
};

// Each field by itself: range, allowed values, text, required keys, fields that this version does not know.
void CheckFields(const google::protobuf::Message& message, const std::string& prefix, std::vector<Issue>* issues);

// Rules across keys, those below included. REQUIRES: defaults are filled in.
void CheckRules(const v1::Recipe& full, std::vector<Issue>* issues);

// Where the network's shape comes from, its length, and Hadamard blocks in its rows.
void CheckModel(const v1::Recipe& full, std::vector<Issue>* issues);

// The blocks of what is quantized, where quant.hadamard is true. Part of CheckModel.
void CheckHadamard(const v1::Recipe& full, std::vector<Issue>* issues);

// The pattern, its schedule, and whether quantizer and rows go with it.
void CheckSparsity(const v1::Recipe& full, std::vector<Issue>* issues);

// Degrees that no group can have, and keys that need a shared model.
void CheckParallelism(const v1::Recipe& full, std::vector<Issue>* issues);

}  // namespace ridgeline::recipe_internal
