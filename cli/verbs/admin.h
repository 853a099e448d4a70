// SPDX-License-Identifier: Apache-2.0
// Groups of verbs under `ridgeline admin`, a file each; admin.cc adds them.
#pragma once

#include "cli/shared/verb.h"

namespace ridgeline {

void AddAdminAuditVerb(CLI::App* admin, Session* session);
void AddAdminCertVerbs(CLI::App* admin, Session* session);
void AddAdminStoreVerbs(CLI::App* admin, Session* session);
void AddAdminTokenVerbs(CLI::App* admin, Session* session);

}  // namespace ridgeline
