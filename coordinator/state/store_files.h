// SPDX-License-Identifier: Apache-2.0
// The files of a state folder as one thing: copied beside a running coordinator, looked through, put back.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// What a journal holds.
struct StoreFigures {
  int64_t sequence = 0;  // Of its last event.
  int64_t jobs = 0;
  int64_t points = 0;
};

// Copies journal.db and then metrics.db of the state folder into `folder`, which is made and must not exist, each as it
// is at one moment, and verifies the copies. Whoever writes meanwhile is not held up. NOT_FOUND if there is no store,
// ALREADY_EXISTS if there is such a folder. After an error the folder is gone again.
absl::StatusOr<StoreFigures> BackUpStore(const std::string& state_dir, const std::string& folder);

// Reads all pages, and replays the journal of a copy, which is made under the system's folder for such and removed
// again: what is looked at stays as it is, of whatever schema, with or without a coordinator beside. DATA_LOSS says
// what is wrong.
absl::StatusOr<StoreFigures> VerifyStore(const std::string& folder);

struct RestoredStore {
  StoreFigures figures;
  std::string kept_in;  // Folder of the store that was there before; empty if there was none.
};
// Verifies the backup and puts it in the place of the state folder's store, which is kept beside it. At any moment the
// folder holds a whole store; after a crash midway, restore again. FAILED_PRECONDITION if a coordinator holds the
// folder.
absl::StatusOr<RestoredStore> RestoreStore(const std::string& folder, const std::string& state_dir);

}  // namespace ridgeline
