// SPDX-License-Identifier: Apache-2.0
// Groups of verbs under `ridgeline data`; data.cc adds them.
#pragma once

#include "cli/shared/verb.h"

namespace ridgeline {

void AddDataLookVerbs(CLI::App* data, Session* session);

}  // namespace ridgeline
