// SPDX-License-Identifier: Apache-2.0
// `ridgeline admin`: for who runs the service.
#include "cli/verbs/admin.h"

#include "cli/verbs/verbs.h"

namespace ridgeline {

void AddAdminVerb(CLI::App* app, Session* session) {
  CLI::App* admin = AddVerb(app, "admin", "For who runs the service", "ridgeline admin token list");
  admin->require_subcommand(1);
  AddAdminStoreVerbs(admin, session);
  AddAdminCertVerbs(admin, session);
  AddAdminTokenVerbs(admin, session);
  AddAdminAuditVerb(admin, session);
}

}  // namespace ridgeline
