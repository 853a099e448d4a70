// SPDX-License-Identifier: Apache-2.0
// SQLite as values and statuses: one connection, prepared statements, transactions. Not thread-safe; the owner locks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ridgeline {

// Statements of a database that nobody uses now, by their SQL: to compile one costs more than to run it.
class StatementCache {
 public:
  StatementCache() = default;
  StatementCache(const StatementCache&) = delete;
  ~StatementCache();
  sqlite3_stmt* Take(const std::string& sql);  // Null: there is none.
  void GiveBack(sqlite3_stmt* statement);

 private:
  std::unordered_map<std::string, sqlite3_stmt*> idle_;
};

// A prepared statement. Bind, Step until false, Reset, again. Must die before its database.
class SqliteStatement {
 public:
  SqliteStatement() = default;
  SqliteStatement(sqlite3* db, StatementCache* cache, sqlite3_stmt* statement, const std::string& path);

  // Parameters and columns count from 0. Bound text and blobs must live until Reset. A value that SQLite does not take
  // (a blob over 1 GB) fails the next Step.
  SqliteStatement& BindInt(int index, int64_t value);
  SqliteStatement& BindText(int index, std::string_view value);
  SqliteStatement& BindBlob(int index, std::string_view value);

  absl::StatusOr<bool> Step();  // True: there is a row.
  absl::Status Run();           // Steps to the end and resets.
  void Reset();

  int64_t ColumnInt(int index) const;
  std::string ColumnBlob(int index) const;

 private:
  struct GiveBack {
    GiveBack() : cache(nullptr) {}
    explicit GiveBack(StatementCache* of) : cache(of) {}
    StatementCache* cache;
    void operator()(sqlite3_stmt* statement) const { cache->GiveBack(statement); }
  };
  void Note(int bind_code);

  sqlite3* db_ = nullptr;
  std::unique_ptr<sqlite3_stmt, GiveBack> statement_;
  std::string path_;
  int bind_code_ = 0;  // The first that failed since Reset.
};

class SqliteDatabase {
 public:
  struct Schema {
    int version = 1;
    std::string tables;  // SQL that makes them on a new file.
    // By the version that it starts from: brings a file to the next version. Runs inside a transaction.
    std::map<int, std::function<absl::Status(const SqliteDatabase&)>> migrations;
  };

  // Opens or creates the file in WAL mode with synchronous=FULL: a committed transaction survives power loss.
  // Checks integrity (DATA_LOSS) and refuses a schema newer than `schema` (FAILED_PRECONDITION). An older one is copied
  // to PATH.version-N first and then brought up to date in one transaction.
  // A disk that is too full for the file that readers share, PATH-shm, still lets an existing file be read: it is then
  // held exclusively, so that no other process can open it. `vfs`: another file system than the machine's, for
  // simulation; the file is held exclusively.
  static absl::StatusOr<SqliteDatabase> Open(const std::string& path, const Schema& schema,
                                             const std::string& vfs = "");

  // An existing file as it is, whatever its schema, beside others that may write. NOT_FOUND if there is none.
  static absl::StatusOr<SqliteDatabase> OpenAsItIs(const std::string& path);

  // Reads all of it: DATA_LOSS says what is wrong.
  absl::Status CheckAll() const;
  // Writes the file as it is at this moment, compact and flushed to the disk, to `path`, where nothing may be. Whoever
  // writes meanwhile is not held up.
  absl::Status CopyTo(const std::string& path) const;

  absl::StatusOr<SqliteStatement> Prepare(const std::string& sql) const;
  absl::Status Execute(const std::string& sql) const;  // One statement or more.
  // Runs `body` between BEGIN IMMEDIATE and COMMIT; any error rolls all of it back.
  template <typename Body>
  absl::Status Transaction(Body body) const;

  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  absl::Status RunOnce(const std::string& sql) const;
  static absl::StatusOr<SqliteDatabase> Connect(const std::string& path, const std::string& vfs, bool exclusively);
  static absl::StatusOr<SqliteDatabase> ConnectOnly(const std::string& path, const std::string& vfs, int flags);
  absl::Status CheckIntegrity(const std::string& check) const;
  absl::Status PrepareSchema(const Schema& schema) const;
  absl::Status Migrate(int64_t from_version, const Schema& schema) const;

  std::unique_ptr<sqlite3, Close> db_;
  std::unique_ptr<StatementCache> statements_ = std::make_unique<StatementCache>();
  std::string path_;
};

template <typename Body>
absl::Status SqliteDatabase::Transaction(Body body) const {
  absl::Status status = RunOnce("BEGIN IMMEDIATE");
  if (!status.ok()) return status;
  status = body();
  if (status.ok()) status = RunOnce("COMMIT");
  if (!status.ok()) Execute("ROLLBACK").IgnoreError();  // SQLite may have rolled back by itself.
  return status;
}

// Of a database's file and of what is not in it yet.
int64_t DatabaseBytes(const std::string& path);

}  // namespace ridgeline
