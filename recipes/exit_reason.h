// SPDX-License-Identifier: Apache-2.0
// Why attempts end otherwise than they should have, in words: one name and one remedy a reason, for whoever shows them.
// Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

// "OOM", "HUNG"; empty for EXIT_REASON_UNSPECIFIED and for a number that this program does not know.
std::string ExitReasonName(v1::ExitReason reason);

// One sentence on what to do, without a full stop; empty where there is no name.
std::string_view Remedy(v1::ExitReason reason);

}  // namespace ridgeline
