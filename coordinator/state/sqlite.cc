// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/sqlite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "common/failpoint.h"
#include "common/file.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

constexpr int kBusyTimeoutMs = 5'000;
constexpr size_t kMaxIdleStatements = 64;

// The last error of the connection, by what a caller can do about it.
absl::Status LastError(sqlite3* db, const std::string& path, std::string_view what) {
  const int code = sqlite3_extended_errcode(db);
  const std::string message = fmt::format("{}: {}: {}", path, what, sqlite3_errmsg(db));
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(message + "; free space on that disk and try again");
    case SQLITE_IOERR:
      if (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_SHMSIZE) {
        return absl::ResourceExhaustedError(message + "; the disk takes no more writes: free space and try again");
      }
      return absl::InternalError(message);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(message + "; the file is damaged: restore it from a copy");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return absl::FailedPreconditionError(message + "; check that the folder exists and may be written");
    case SQLITE_BUSY:
      return absl::FailedPreconditionError(message + "; another process holds the file");
    default:
      return absl::InternalError(message);
  }
}

absl::StatusOr<int64_t> ReadInt(const SqliteDatabase& db, const std::string& sql) {
  ASSIGN_OR_RETURN(SqliteStatement statement, db.Prepare(sql));
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.ColumnInt(0) : 0;
}

}  // namespace

StatementCache::~StatementCache() {
  for (const auto& [sql, statement] : idle_) sqlite3_finalize(statement);
}

sqlite3_stmt* StatementCache::Take(const std::string& sql) {
  const auto found = idle_.find(sql);
  return found == idle_.end() ? nullptr : idle_.extract(found).mapped();
}

void StatementCache::GiveBack(sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  const bool is_kept = idle_.size() < kMaxIdleStatements && idle_.try_emplace(sqlite3_sql(statement), statement).second;
  if (!is_kept) sqlite3_finalize(statement);
}

void SqliteDatabase::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

SqliteStatement::SqliteStatement(sqlite3* db, StatementCache* cache, sqlite3_stmt* statement, const std::string& path)
    : db_(db), statement_(statement, GiveBack{cache}), path_(path) {}

SqliteStatement& SqliteStatement::BindInt(int index, int64_t value) {
  Note(sqlite3_bind_int64(statement_.get(), index + 1, value));
  return *this;
}

SqliteStatement& SqliteStatement::BindText(int index, std::string_view value) {
  Note(sqlite3_bind_text64(statement_.get(), index + 1, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

SqliteStatement& SqliteStatement::BindBlob(int index, std::string_view value) {
  Note(sqlite3_bind_blob64(statement_.get(), index + 1, value.data(), value.size(), SQLITE_STATIC));
  return *this;
}

void SqliteStatement::Note(int bind_code) {
  if (bind_code_ == SQLITE_OK) bind_code_ = bind_code;
}

absl::StatusOr<bool> SqliteStatement::Step() {
  if (bind_code_ != SQLITE_OK) {
    const std::string message = fmt::format("{}: a value was not taken: {}", path_, sqlite3_errstr(bind_code_));
    const bool too_big = bind_code_ == SQLITE_TOOBIG;
    Reset();
    return too_big ? absl::ResourceExhaustedError(message) : absl::InternalError(message);
  }
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const std::string_view sql = sqlite3_sql(statement_.get());
  const absl::Status status = LastError(db_, path_, sql.substr(0, sql.find_first_of("(=?")));
  Reset();
  return status;
}

absl::Status SqliteStatement::Run() {
  while (true) {
    ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) break;
  }
  Reset();
  return absl::OkStatus();
}

void SqliteStatement::Reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
  bind_code_ = SQLITE_OK;
}

int64_t SqliteStatement::ColumnInt(int index) const { return sqlite3_column_int64(statement_.get(), index); }

std::string SqliteStatement::ColumnBlob(int index) const {
  const void* data = sqlite3_column_blob(statement_.get(), index);
  const int size_bytes = sqlite3_column_bytes(statement_.get(), index);
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size_bytes);
}

absl::StatusOr<SqliteDatabase> SqliteDatabase::Open(const std::string& path, const Schema& schema,
                                                    const std::string& vfs) {
  absl::StatusOr<SqliteDatabase> database = Connect(path, vfs, /*exclusively=*/!vfs.empty());
  if (absl::IsResourceExhausted(database.status()) && vfs.empty()) {
    const std::string why(database.status().message());
    database = Connect(path, vfs, /*exclusively=*/true);
    if (database.ok()) spdlog::warn("{}; held for this process alone", why);
  }
  RETURN_IF_ERROR(database.status());
  RETURN_IF_ERROR(database->PrepareSchema(schema));
  return database;
}

absl::StatusOr<SqliteDatabase> SqliteDatabase::OpenAsItIs(const std::string& path) {
  if (!std::filesystem::exists(path)) return absl::NotFoundError(fmt::format("{}: there is no such file", path));
  return ConnectOnly(path, "", SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
}

absl::StatusOr<SqliteDatabase> SqliteDatabase::ConnectOnly(const std::string& path, const std::string& vfs, int flags) {
  SqliteDatabase database;
  database.path_ = path;
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, vfs.empty() ? nullptr : vfs.c_str());
  database.db_.reset(db);
  if (code != SQLITE_OK) return LastError(db, path, "cannot be opened");
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, kBusyTimeoutMs);
  return database;
}

absl::StatusOr<SqliteDatabase> SqliteDatabase::Connect(const std::string& path, const std::string& vfs,
                                                       bool exclusively) {
  ASSIGN_OR_RETURN(SqliteDatabase database,
                   ConnectOnly(path, vfs, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX));
  if (exclusively) RETURN_IF_ERROR(database.Execute("PRAGMA locking_mode=EXCLUSIVE"));
  RETURN_IF_ERROR(database.CheckIntegrity("PRAGMA quick_check(1)"));
  RETURN_IF_ERROR(database.Execute("PRAGMA journal_mode=WAL"));
  RETURN_IF_ERROR(database.Execute("PRAGMA synchronous=FULL"));
  return database;
}

absl::Status SqliteDatabase::CheckAll() const { return CheckIntegrity("PRAGMA integrity_check(1)"); }

absl::Status SqliteDatabase::CheckIntegrity(const std::string& sql) const {
  ASSIGN_OR_RETURN(SqliteStatement check, Prepare(sql));
  ASSIGN_OR_RETURN(const bool row, check.Step());
  const std::string answer = row ? check.ColumnBlob(0) : "no answer";
  if (answer == "ok") return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("{}: the integrity check says '{}'; restore the file from a copy", path_, answer));
}

absl::Status SqliteDatabase::CopyTo(const std::string& path) const {
  {
    ASSIGN_OR_RETURN(SqliteStatement copy, Prepare("VACUUM INTO ?"));
    RETURN_IF_ERROR(copy.BindText(0, path).Run());
  }
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_flushed = fd >= 0 && fsync(fd) == 0;
  const int error_number = errno;
  if (fd >= 0) close(fd);
  return is_flushed ? absl::OkStatus() : ErrnoStatus(error_number, fmt::format("flushing {}", path));
}

absl::Status SqliteDatabase::PrepareSchema(const Schema& schema) const {
  ASSIGN_OR_RETURN(const int64_t found, ReadInt(*this, "PRAGMA user_version"));
  if (found == schema.version) return absl::OkStatus();
  if (found > schema.version) {
    return absl::FailedPreconditionError(
        fmt::format("{}: its schema version is {}, and this program knows versions up to {}; run the newer ridgeline "
                    "that wrote it, or start with another --state",
                    path_, found, schema.version));
  }
  ASSIGN_OR_RETURN(const int64_t tables, ReadInt(*this, "SELECT count(*) FROM sqlite_master"));
  if (tables > 0 && schema.migrations.count(static_cast<int>(found)) > 0) return Migrate(found, schema);
  if (tables > 0) {
    return absl::FailedPreconditionError(
        fmt::format("{}: not a ridgeline file: it holds tables but no schema version; choose another --state", path_));
  }
  return Transaction([&]() -> absl::Status {
    RETURN_IF_ERROR(Execute(schema.tables));
    return Execute(fmt::format("PRAGMA user_version={}", schema.version));
  });
}

absl::Status SqliteDatabase::Migrate(int64_t from_version, const Schema& schema) const {
  const std::string copy = fmt::format("{}.version-{}", path_, from_version);
  std::error_code none_was_there;
  std::filesystem::remove(copy, none_was_there);  // A crash may have left half of one.
  RETURN_IF_ERROR(CopyTo(copy));
  RETURN_IF_ERROR(Transaction([&]() -> absl::Status {
    for (auto step = schema.migrations.find(static_cast<int>(from_version)); step != schema.migrations.end(); ++step) {
      RETURN_IF_ERROR(step->second(*this));
    }
    Failpoint("sqlite.in_migration");
    return Execute(fmt::format("PRAGMA user_version={}", schema.version));
  }));
  spdlog::info("{}: brought from schema version {} to {}; {} is the file as it was", path_, from_version,
               schema.version, copy);
  return absl::OkStatus();
}

absl::StatusOr<SqliteStatement> SqliteDatabase::Prepare(const std::string& sql) const {
  sqlite3_stmt* statement = statements_->Take(sql);
  if (statement == nullptr && sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    return LastError(db_.get(), path_, sql);
  }
  return SqliteStatement(db_.get(), statements_.get(), statement, path_);
}

absl::Status SqliteDatabase::RunOnce(const std::string& sql) const {
  ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
  return statement.Run();
}

absl::Status SqliteDatabase::Execute(const std::string& sql) const {
  if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return absl::OkStatus();
  return LastError(db_.get(), path_, sql);
}

int64_t DatabaseBytes(const std::string& path) {
  int64_t total_bytes = 0;
  for (const char* ending : {"", "-wal"}) {
    std::error_code error;
    const auto size_bytes = std::filesystem::file_size(path + ending, error);
    if (!error) total_bytes += static_cast<int64_t>(size_bytes);
  }
  return total_bytes;
}

}  // namespace ridgeline
