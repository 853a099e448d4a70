// SPDX-License-Identifier: Apache-2.0
// Groups of verbs under `ridgeline admin`, a file each; admin.cc adds them.
#pragma once

#include "cli/shared/verb.h"

namespace ridgeline {

void AddAdminStoreVerbs(CLI::App* admin, Session* session);

}  // namespace ridgeline
