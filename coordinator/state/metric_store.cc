// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/metric_store.h"

#include <fmt/format.h>

#include <utility>

#include "common/status_macros.h"
#include "coordinator/state/log_cursor.h"

namespace ridgeline {
namespace {

constexpr char kTables[] =
    "CREATE TABLE metric (job_id TEXT NOT NULL, step INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " validated INTEGER NOT NULL, nonfinite INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (job_id, step)) WITHOUT ROWID;"
    "CREATE TABLE log (job_id TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,"
    " line INTEGER NOT NULL, rank INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (job_id, epoch, sequence, line)) WITHOUT ROWID;";

template <typename Message>
absl::StatusOr<Message> Parse(const std::string& body, const std::string& what) {
  Message message;
  if (message.ParseFromString(body)) return message;
  return absl::DataLossError(fmt::format("{} cannot be read; restore metrics.db from a copy", what));
}

absl::StatusOr<int64_t> CountRows(const SqliteDatabase& db, const std::string& table, const std::string& job_id) {
  ASSIGN_OR_RETURN(SqliteStatement count, db.Prepare("SELECT count(*) FROM " + table + " WHERE job_id = ?"));
  ASSIGN_OR_RETURN(const bool row, count.BindText(0, job_id).Step());
  return row ? count.ColumnInt(0) : 0;
}

// 0 where the cursor stands behind all that is gone.
absl::StatusOr<int64_t> SkippedLines(const SqliteDatabase& db, const std::string& job_id, const LogCursor& cursor) {
  ASSIGN_OR_RETURN(const int64_t dropped, DroppedLines(db, job_id));
  if (dropped == 0) return 0;
  ASSIGN_OR_RETURN(SqliteStatement select, db.Prepare("SELECT EXISTS (SELECT 1 FROM log WHERE job_id = ?"
                                                      " AND (epoch, sequence, line) <= (?, ?, ?))"));
  select.BindText(0, job_id).BindInt(1, cursor.epoch).BindInt(2, cursor.sequence).BindInt(3, cursor.line);
  ASSIGN_OR_RETURN(const bool row, select.Step());
  return row && select.ColumnInt(0) != 0 ? 0 : dropped;
}

// What is newer takes the place of what is older, also of its list of counts.
void MergeNewer(const v1::MetricPoint& newer, v1::MetricPoint* point) {
  if (newer.collectives_size() > 0) point->clear_collectives();
  point->MergeFrom(newer);
}

SqliteDatabase::Schema MetricSchema() {
  return {.version = 2,
          .tables = std::string(kTables) + kDroppedLinesTable,
          .migrations = {{1, [](const SqliteDatabase& db) { return db.Execute(kDroppedLinesTable); }}}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricStore>> MetricStore::Open(const std::string& path, const std::string& vfs,
                                                               const HistoryLimits& limits) {
  ASSIGN_OR_RETURN(SqliteDatabase db, SqliteDatabase::Open(path, MetricSchema(), vfs));
  return std::unique_ptr<MetricStore>(new MetricStore(path, std::move(db), limits));
}

MetricStore::MetricStore(std::string path, SqliteDatabase db, const HistoryLimits& limits)
    : path_(std::move(path)), limits_(limits), db_(std::move(db)) {}

absl::StatusOr<std::vector<v1::MetricPoint>> MetricStore::AppendMetrics(
    const std::string& job_id, int64_t epoch, const google::protobuf::RepeatedPtrField<v1::MetricPoint>& points) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(LatestMetrics * latest, LoadLatest(job_id));
  ASSIGN_OR_RETURN(Held * held, LoadHeld(job_id));
  std::vector<v1::MetricPoint> fresh;
  Held after = *held;
  RETURN_IF_ERROR(db_.Transaction([&]() -> absl::Status {
    mutex_.AssertHeld();
    for (const v1::MetricPoint& point : points) {
      ASSIGN_OR_RETURN(const bool changed, Upsert(job_id, epoch, point, &after));
      if (changed) fresh.push_back(point);
    }
    if (after.points <= limits_.job_points) return absl::OkStatus();
    ASSIGN_OR_RETURN(const int64_t thinned, ThinOlderHalf(db_, job_id, after.points));
    after.points -= thinned;
    return absl::OkStatus();
  }));
  *held = after;
  for (const v1::MetricPoint& point : fresh) {
    if (epoch < latest->epoch) continue;
    if (epoch == latest->epoch && point.step() < latest->point.step()) continue;
    if (epoch > latest->epoch) latest->point.clear_collectives();  // They are an attempt's.
    latest->epoch = epoch;
    latest->point.clear_nonfinite();
    MergeNewer(point, &latest->point);
    latest->point.set_step(point.step());  // A resumed attempt may stand before the one that was lost.
    latest->nonfinite_steps += point.nonfinite();
  }
  return fresh;
}

absl::StatusOr<bool> MetricStore::Upsert(const std::string& job_id, int64_t epoch, const v1::MetricPoint& point,
                                         Held* held) {
  ASSIGN_OR_RETURN(SqliteStatement select, db_.Prepare("SELECT epoch, body FROM metric WHERE job_id = ? AND step = ?"));
  ASSIGN_OR_RETURN(const bool exists, select.BindText(0, job_id).BindInt(1, point.step()).Step());
  v1::MetricPoint merged = point;
  if (exists) {
    if (select.ColumnInt(0) > epoch) return false;
    if (select.ColumnInt(0) == epoch) {
      const std::string before = select.ColumnBlob(1);
      ASSIGN_OR_RETURN(merged, Parse<v1::MetricPoint>(before, job_id + "'s metrics"));
      MergeNewer(point, &merged);
      if (merged.SerializeAsString() == before) return false;
    }
  }
  select.Reset();
  ASSIGN_OR_RETURN(SqliteStatement replace, db_.Prepare("INSERT OR REPLACE INTO metric VALUES (?, ?, ?, ?, ?, ?)"));
  const std::string body = merged.SerializeAsString();
  replace.BindText(0, job_id).BindInt(1, merged.step()).BindInt(2, epoch);
  replace.BindInt(3, merged.has_validation_loss()).BindInt(4, merged.nonfinite()).BindBlob(5, body);
  RETURN_IF_ERROR(replace.Run());
  if (!exists) ++held->points;
  return true;
}

absl::Status MetricStore::AppendLogs(const std::string& job_id, int64_t epoch, int64_t sequence,
                                     const google::protobuf::RepeatedPtrField<v1::LogLine>& lines) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(Held * held, LoadHeld(job_id));
  int64_t held_lines = held->lines;
  RETURN_IF_ERROR(db_.Transaction([&]() -> absl::Status {
    mutex_.AssertHeld();
    ASSIGN_OR_RETURN(SqliteStatement insert, db_.Prepare("INSERT OR IGNORE INTO log VALUES (?, ?, ?, ?, ?, ?)"));
    for (int i = 0; i < lines.size(); ++i) {
      const std::string body = lines[i].SerializeAsString();
      insert.BindText(0, job_id).BindInt(1, epoch).BindInt(2, sequence).BindInt(3, i);
      RETURN_IF_ERROR(insert.BindInt(4, lines[i].rank()).BindBlob(5, body).Run());
    }
    held_lines += lines.size();  // Too many where lines came before; counted anew then.
    if (held_lines <= limits_.job_lines) return absl::OkStatus();
    ASSIGN_OR_RETURN(held_lines, CountRows(db_, "log", job_id));
    ASSIGN_OR_RETURN(
        const int64_t dropped,
        DropOldestLines(db_, job_id, held_lines > limits_.job_lines ? held_lines - limits_.job_lines * 9 / 10 : 0));
    held_lines -= dropped;
    return absl::OkStatus();
  }));
  held->lines = held_lines;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::MetricPoint>> MetricStore::ReadMetrics(const std::string& job_id, int64_t after_step,
                                                                      int64_t limit) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SqliteStatement select,
                   db_.Prepare("SELECT body FROM metric WHERE job_id = ? AND step > ? ORDER BY step LIMIT ?"));
  select.BindText(0, job_id).BindInt(1, after_step).BindInt(2, limit);
  std::vector<v1::MetricPoint> points;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return points;
    ASSIGN_OR_RETURN(points.emplace_back(), Parse<v1::MetricPoint>(select.ColumnBlob(0), job_id + "'s metrics"));
  }
}

absl::StatusOr<std::vector<v1::LogLine>> MetricStore::ReadLogs(const std::string& job_id, std::optional<int32_t> rank,
                                                               int64_t limit, LogCursor* cursor) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const int64_t skipped, SkippedLines(db_, job_id, *cursor));
  ASSIGN_OR_RETURN(SqliteStatement select,
                   db_.Prepare("SELECT epoch, sequence, line, body FROM log WHERE job_id = ?"
                               " AND (epoch, sequence, line) > (?, ?, ?) AND (? < 0 OR rank = ?)"
                               " ORDER BY epoch, sequence, line LIMIT ?"));
  select.BindText(0, job_id).BindInt(1, cursor->epoch).BindInt(2, cursor->sequence).BindInt(3, cursor->line);
  select.BindInt(4, rank.value_or(-1)).BindInt(5, rank.value_or(-1)).BindInt(6, limit);
  std::vector<v1::LogLine> lines;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return lines;
    *cursor = {select.ColumnInt(0), select.ColumnInt(1), select.ColumnInt(2)};
    ASSIGN_OR_RETURN(lines.emplace_back(), Parse<v1::LogLine>(select.ColumnBlob(3), job_id + "'s log"));
    lines.back().set_cursor(PackLogCursor(*cursor));
    if (lines.size() == 1) lines.back().set_skipped(skipped);
  }
}

absl::StatusOr<LatestMetrics> MetricStore::Latest(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const LatestMetrics* latest, LoadLatest(job_id));
  return *latest;
}

absl::StatusOr<LatestMetrics*> MetricStore::LoadLatest(const std::string& job_id) {
  const auto found = latest_.find(job_id);
  if (found != latest_.end()) return &found->second;
  LatestMetrics latest;
  RETURN_IF_ERROR(ReadLatest(job_id, &latest));
  return &(latest_[job_id] = std::move(latest));
}

// The newest point alone may lack what is reported seldom: the last validation comes from its own row.
absl::Status MetricStore::ReadLatest(const std::string& job_id, LatestMetrics* latest) {
  ASSIGN_OR_RETURN(SqliteStatement validated,
                   db_.Prepare("SELECT body FROM metric WHERE job_id = ? AND validated ORDER BY step DESC LIMIT 1"));
  ASSIGN_OR_RETURN(const bool has_validation, validated.BindText(0, job_id).Step());
  if (has_validation) {
    ASSIGN_OR_RETURN(latest->point, Parse<v1::MetricPoint>(validated.ColumnBlob(0), job_id + "'s metrics"));
  }
  ASSIGN_OR_RETURN(SqliteStatement newest, db_.Prepare("SELECT epoch, body FROM metric WHERE job_id = ?"
                                                       " ORDER BY epoch DESC, step DESC LIMIT 1"));
  ASSIGN_OR_RETURN(const bool has_point, newest.BindText(0, job_id).Step());
  if (has_point) {
    ASSIGN_OR_RETURN(const v1::MetricPoint point, Parse<v1::MetricPoint>(newest.ColumnBlob(1), job_id + "'s metrics"));
    latest->epoch = newest.ColumnInt(0);
    latest->point.clear_nonfinite();
    latest->point.clear_collectives();  // They may be another attempt's.
    MergeNewer(point, &latest->point);
    latest->point.set_step(point.step());
  }
  ASSIGN_OR_RETURN(SqliteStatement count, db_.Prepare("SELECT count(*) FROM metric WHERE job_id = ? AND nonfinite"));
  ASSIGN_OR_RETURN(const bool counted, count.BindText(0, job_id).Step());
  if (counted) latest->nonfinite_steps = count.ColumnInt(0);
  return absl::OkStatus();
}

absl::StatusOr<MetricStore::Held*> MetricStore::LoadHeld(const std::string& job_id) {
  const auto found = held_.find(job_id);
  if (found != held_.end()) return &found->second;
  Held held;
  ASSIGN_OR_RETURN(held.points, CountRows(db_, "metric", job_id));
  ASSIGN_OR_RETURN(held.lines, CountRows(db_, "log", job_id));
  return &(held_[job_id] = held);
}

absl::StatusOr<bool> MetricStore::IsOver(double share) const {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const int64_t bytes, UsedBytes(db_));
  return static_cast<double>(bytes) > share * static_cast<double>(limits_.total_bytes);
}

absl::Status MetricStore::ShrinkEnded(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  held_.erase(job_id);
  return db_.Transaction([&]() -> absl::Status {
    mutex_.AssertHeld();
    ASSIGN_OR_RETURN(const int64_t points, CountRows(db_, "metric", job_id));
    RETURN_IF_ERROR(ThinTo(db_, job_id, points, limits_.ended_points).status());
    ASSIGN_OR_RETURN(const int64_t lines, CountRows(db_, "log", job_id));
    return DropOldestLines(db_, job_id, lines - limits_.ended_lines).status();
  });
}

int64_t MetricStore::SizeBytes() const { return DatabaseBytes(path_); }

}  // namespace ridgeline
