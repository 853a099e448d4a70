// SPDX-License-Identifier: Apache-2.0
// Who asked for what: a row for each event that people caused, in a table of its own, which snapshots do not prune.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/state/sqlite.h"
#include "ridgeline/v1/coordinator.pb.h"
#include "ridgeline/v1/journal.pb.h"

namespace ridgeline {

// SQL of the table.
extern const char kAuditTable[];

// Nothing for what groups report and the coordinator decides. Holds no secret and no hash of one.
std::optional<v1::AuditEntry> AuditEntryOf(const v1::Event& event);

// Inside the caller's transaction, for an event that has its sequence, time and actor.
absl::Status WriteAudit(const SqliteDatabase& db, const v1::Event& event);
// Leaves the newest `rows`.
absl::Status PruneAudit(const SqliteDatabase& db, int64_t rows);

struct AuditQuery {
  int64_t before_sequence = 0;  // 0: from the newest on.
  std::string actor;            // Empty: everybody.
  int64_t limit = 100;
};
// Newest first.
absl::StatusOr<v1::ListAuditResponse> ReadAudit(const SqliteDatabase& db, const AuditQuery& query);

}  // namespace ridgeline
