// SPDX-License-Identifier: Apache-2.0
// What stands under `ridgeline admin`, a file each.
#pragma once

#include "cli/shared/verb.h"

namespace ridgeline {

void AddAdminCertVerbs(CLI::App* admin, Session* session);
void AddAdminTokenVerbs(CLI::App* admin, Session* session);
void AddAdminAuditVerb(CLI::App* admin, Session* session);

}  // namespace ridgeline
