// SPDX-License-Identifier: Apache-2.0
// Worker groups as a table for people.
#pragma once

#include <cstdint>
#include <string>

#include "cli/shared/terminal.h"
#include "ridgeline/v1/coordinator.pb.h"

namespace ridgeline {

std::string WorkerTable(const v1::ListWorkersResponse& workers, int64_t now_unix_ms, const Style& style);

}  // namespace ridgeline
