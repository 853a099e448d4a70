// SPDX-License-Identifier: Apache-2.0
// What the model store holds.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "weights/stored_model.h"

namespace ridgeline {

struct ImportedModel {
  std::string name;
  std::string folder;
  std::string source, date;           // As import.json has them; empty without one.
  absl::StatusOr<StoredModel> model;  // Or why it cannot be read.
};

// By name. Empty if there is no store yet.
absl::StatusOr<std::vector<ImportedModel>> ListModels();

}  // namespace ridgeline
