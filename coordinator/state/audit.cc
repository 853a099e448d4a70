// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/audit.h"

#include <fmt/format.h>

#include <limits>
#include <vector>

#include "absl/strings/str_join.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

struct Deed {
  std::string action;
  std::string target;
  std::string detail;
};

Deed OfSubmit(const v1::JobsSubmitted& submitted) {
  const v1::Job& first = submitted.jobs(0);
  const int children = submitted.jobs_size() - 1;
  return {"submit", first.id(),
          children == 0 ? first.name() : fmt::format("{} and {} children", first.name(), children)};
}

Deed OfChange(const v1::JobChanged& changed) {
  std::vector<std::string> parts;
  if (changed.has_priority()) parts.push_back(fmt::format("priority {}", changed.priority()));
  if (changed.has_paused()) parts.emplace_back(changed.paused() ? "paused" : "resumed");
  for (const auto& [key, value] : changed.labels()) parts.push_back(fmt::format("label {}={}", key, value));
  return {"change", changed.job_id(), absl::StrJoin(parts, ", ")};
}

Deed OfQueue(const v1::Queue& queue) {
  return {"queue", queue.name(),
          fmt::format("weight {:g}, max_ranks {}, max_rank_hours {:g}, period_hours {:g}", queue.weight(),
                      queue.max_ranks(), queue.max_rank_hours(), queue.period_hours())};
}

Deed OfToken(const v1::Token& token) {
  std::string detail = "role " + token.role();
  if (token.is_single_use()) detail += ", joins once";
  if (!token.used_by().empty()) detail += fmt::format(", used by group '{}'", token.used_by());
  if (!token.previous_secret_sha256().empty()) detail += ", rotated";
  if (token.is_revoked()) detail += ", revoked";
  return {"token", token.name(), detail};
}

std::optional<Deed> DeedOf(const v1::Event& event) {
  switch (event.kind_case()) {
    case v1::Event::kJobsSubmitted:
      if (event.jobs_submitted().jobs().empty()) return std::nullopt;
      return OfSubmit(event.jobs_submitted());
    case v1::Event::kCancelRequested:
      return Deed{"cancel", event.cancel_requested().job_id(), ""};
    case v1::Event::kJobRetried:
      return Deed{"retry", event.job_retried().job_id(), ""};
    case v1::Event::kJobChanged:
      return OfChange(event.job_changed());
    case v1::Event::kQueueSet:
      return OfQueue(event.queue_set().queue());
    case v1::Event::kGroupDrained:
      return Deed{event.group_drained().draining() ? "drain" : "undrain", event.group_drained().group_id(), ""};
    case v1::Event::kTokenChanged:
      return OfToken(event.token_changed().token());
    default:
      return std::nullopt;
  }
}

}  // namespace

const char kAuditTable[] =
    "CREATE TABLE audit (sequence INTEGER PRIMARY KEY, actor TEXT NOT NULL, body BLOB NOT NULL);"
    "CREATE INDEX audit_of_actor ON audit (actor, sequence);";

std::optional<v1::AuditEntry> AuditEntryOf(const v1::Event& event) {
  const std::optional<Deed> deed = DeedOf(event);
  if (!deed.has_value()) return std::nullopt;
  v1::AuditEntry entry;
  entry.set_sequence(event.sequence());
  entry.set_time_unix_ms(event.time_unix_ms());
  entry.set_actor(event.actor().name());
  entry.set_role(event.actor().role());
  entry.set_address(event.actor().address());
  entry.set_action(deed->action);
  entry.set_target(deed->target);
  entry.set_detail(deed->detail);
  return entry;
}

absl::Status WriteAudit(const SqliteDatabase& db, const v1::Event& event) {
  const std::optional<v1::AuditEntry> entry = AuditEntryOf(event);
  if (!entry.has_value()) return absl::OkStatus();
  const std::string body = entry->SerializeAsString();
  ASSIGN_OR_RETURN(SqliteStatement insert, db.Prepare("INSERT INTO audit (sequence, actor, body) VALUES (?, ?, ?)"));
  return insert.BindInt(0, entry->sequence()).BindText(1, entry->actor()).BindBlob(2, body).Run();
}

absl::Status PruneAudit(const SqliteDatabase& db, int64_t rows) {
  ASSIGN_OR_RETURN(SqliteStatement prune,
                   db.Prepare("DELETE FROM audit WHERE sequence <= (SELECT sequence FROM audit ORDER BY sequence DESC "
                              "LIMIT 1 OFFSET ?)"));
  return prune.BindInt(0, rows).Run();
}

absl::StatusOr<v1::ListAuditResponse> ReadAudit(const SqliteDatabase& db, const AuditQuery& query) {
  const bool is_of_one = !query.actor.empty();
  ASSIGN_OR_RETURN(SqliteStatement select,
                   db.Prepare(fmt::format("SELECT body FROM audit WHERE sequence < ?{} ORDER BY sequence DESC LIMIT ?",
                                          is_of_one ? " AND actor = ?" : "")));
  int parameter = 0;
  select.BindInt(parameter++, query.before_sequence > 0 ? query.before_sequence : std::numeric_limits<int64_t>::max());
  if (is_of_one) select.BindText(parameter++, query.actor);
  select.BindInt(parameter, query.limit);
  v1::ListAuditResponse response;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return response;
    if (!response.add_entries()->ParseFromString(select.ColumnBlob(0)))
      return absl::DataLossError(fmt::format("{}: an entry of the audit cannot be read", db.path()));
  }
}

}  // namespace ridgeline
