// SPDX-License-Identifier: Apache-2.0
// Tokens and the audit as text for people. All pure.
#pragma once

#include <cstdint>
#include <string>

#include "cli/shared/terminal.h"
#include "ridgeline/v1/coordinator.pb.h"

namespace ridgeline {

// A line for each: role, state, when it expires, which group joined with it.
std::string TokenTable(const v1::ListTokensResponse& tokens, int64_t now_unix_ms, const Style& style);

// A line for each entry, in the order in which they came.
std::string AuditTable(const v1::ListAuditResponse& audit, const Style& style);

}  // namespace ridgeline
