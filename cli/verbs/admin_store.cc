// SPDX-License-Identifier: Apache-2.0
// `ridgeline admin backup`, `verify` and `restore`: the coordinator's store, which these open themselves.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <string>

#include "cli/shared/exit_code.h"
#include "cli/shared/verb.h"
#include "cli/verbs/admin.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "coordinator/state/store_files.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

struct StoreBackupOptions {
  std::string out;
};
struct StoreVerifyOptions {
  std::string backup;
};
struct StoreRestoreOptions {
  std::string from;
};

std::string FiguresText(const StoreFigures& figures) {
  return fmt::format("{} jobs, {} frontier points, up to event {}", figures.jobs, figures.points, figures.sequence);
}

// The journal tells of what it opens; standard output is for the answer.
void LogToStandardError() {
  if (spdlog::get("admin") == nullptr) spdlog::set_default_logger(spdlog::stderr_logger_st("admin"));
}

absl::StatusOr<int> RunStoreBackup(const Session& session, const StoreBackupOptions& options) {
  LogToStandardError();
  ASSIGN_OR_RETURN(const StackPaths paths, session.Paths());
  ASSIGN_OR_RETURN(const StoreFigures figures, BackUpStore(paths.state_dir, options.out));
  PrintOut("{}: {}\n", options.out, FiguresText(figures));
  return kExitOk;
}

absl::StatusOr<int> RunStoreVerify(const Session& session, const StoreVerifyOptions& options) {
  LogToStandardError();
  std::string folder = options.backup;
  if (folder.empty()) {
    ASSIGN_OR_RETURN(const StackPaths paths, session.Paths());
    folder = paths.state_dir;
  }
  ASSIGN_OR_RETURN(const StoreFigures figures, VerifyStore(folder));
  PrintOut("{}: sound, {}\n", folder, FiguresText(figures));
  return kExitOk;
}

absl::StatusOr<int> RunStoreRestore(const Session& session, const StoreRestoreOptions& options) {
  LogToStandardError();
  ASSIGN_OR_RETURN(const StackPaths paths, session.Paths());
  ASSIGN_OR_RETURN(const RestoredStore restored, RestoreStore(options.from, paths.state_dir));
  PrintOut("{}: {}\n", paths.state_dir, FiguresText(restored.figures));
  if (!restored.kept_in.empty()) PrintOut("what was there before is in {}\n", restored.kept_in);
  return kExitOk;
}

}  // namespace

void AddAdminStoreVerbs(CLI::App* admin, Session* session) {
  auto backup_options = std::make_shared<StoreBackupOptions>();
  CLI::App* backup = AddVerb(admin, "backup", "Copy the store of --state, also beside a running coordinator",
                             "ridgeline admin backup --out backup-monday");
  backup->add_option("--out", backup_options->out, "A folder to make")->required()->type_name("FOLDER");
  SetAction(backup, session, backup_options, RunStoreBackup);

  auto verify_options = std::make_shared<StoreVerifyOptions>();
  CLI::App* verify = AddVerb(admin, "verify", "Read all of a store and replay its journal; changes nothing",
                             "ridgeline admin verify --backup backup-monday");
  verify->add_option("--backup", verify_options->backup, "A backup; else the store of --state")->type_name("FOLDER");
  SetAction(verify, session, verify_options, RunStoreVerify);

  auto restore_options = std::make_shared<StoreRestoreOptions>();
  CLI::App* restore = AddVerb(admin, "restore", "Put a backup in the place of the store of --state, which is kept",
                              "ridgeline admin restore --from backup-monday");
  restore->add_option("--from", restore_options->from, "A backup")->required()->type_name("FOLDER");
  SetAction(restore, session, restore_options, RunStoreRestore);
}

}  // namespace ridgeline
