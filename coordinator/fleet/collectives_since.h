// SPDX-License-Identifier: Apache-2.0
// What a group's ranks exchanged between two of its heartbeats.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include "absl/status/statusor.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

using CollectiveCountList = google::protobuf::RepeatedPtrField<v1::CollectiveCount>;

// What came to a group's counts between two heartbeats. INVALID_ARGUMENT where one has become less. Both are such that
// CheckCollectives finds nothing wrong.
absl::StatusOr<CollectiveCountList> CollectivesSince(const CollectiveCountList& before, const CollectiveCountList& now);

}  // namespace ridgeline
