// SPDX-License-Identifier: Apache-2.0
// What ranks exchange, as the coordinator hears it.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include "comm/communicator.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

// What was added between two looks at a communicator's counts.
CollectiveCounts CountsSince(const CollectiveCounts& before, const CollectiveCounts& now);

void AddCounts(const CollectiveCounts& more, CollectiveCounts* sum);

// An entry for each operation that was called, in the order of kCollectiveNames.
google::protobuf::RepeatedPtrField<v1::CollectiveCount> CountsMessage(const CollectiveCounts& counts);

}  // namespace ridgeline
