// SPDX-License-Identifier: Apache-2.0
// `ridgeline admin audit`: who asked for what.
#include "cli/shared/admin_text.h"
#include "cli/shared/exit_code.h"
#include "cli/verbs/admin.h"
#include "common/number_option.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

constexpr int kMaxAuditEntries = 1'000;

struct AuditOptions {
  std::string actor;
  int limit = 100;
  int64_t before = 0;
  OutputFormat format = OutputFormat::kTable;
};

absl::StatusOr<int> RunAudit(const Session& session, const AuditOptions& options) {
  v1::ListAuditRequest request;
  request.set_actor(options.actor);
  request.set_page_size(options.limit);
  request.set_before_sequence(options.before);
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(const v1::ListAuditResponse audit, client.ListAudit(request));
  if (options.format == OutputFormat::kName) {
    for (const v1::AuditEntry& entry : audit.entries()) PrintOut("{}\n", entry.sequence());
  } else if (options.format == OutputFormat::kTable) {
    WriteOut(AuditTable(audit, StyleOf(stdout)));
  } else {
    ASSIGN_OR_RETURN(const std::string text, FormatMessage(audit, options.format));
    WriteOut(text);
  }
  return kExitOk;
}

}  // namespace

void AddAdminAuditVerb(CLI::App* admin, Session* session) {
  auto options = std::make_shared<AuditOptions>();
  CLI::App* audit = AddVerb(admin, "audit", "Who asked for what, newest first", "ridgeline admin audit --actor alice");
  audit->add_option("--actor", options->actor, "Only what this one asked for")->type_name("NAME");
  audit->add_option("--limit", options->limit, "So many at most (default 100)")
      ->check(IntegerFrom(1, kMaxAuditEntries))
      ->type_name("NUMBER");
  audit->add_option("--before", options->before, "Only what came before this event; 0 (default): from the newest on")
      ->check(IntegerFrom(0))
      ->type_name("NUMBER");
  AddOutputOption(audit, &options->format);
  SetAction(audit, session, options, RunAudit);
}

}  // namespace ridgeline
