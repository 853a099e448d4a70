// SPDX-License-Identifier: Apache-2.0
// What each rank of this group computes on: ranks tell each other what they have, and all decide alike.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "comm/communicator.h"
#include "device/placement.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

// Called by every rank with its own offer. Errors are those of PlaceRanks, the same on all ranks, and of communication.
absl::StatusOr<Placement> PlaceGroup(const RankOffer& offer, Communicator& communicator);

v1::Device DeviceMessage(const RankDevice& device);

// Makes CUDA, which must not have started in this process, number GPUs as `device` does.
void UseRankDevice(const RankDevice& device);

}  // namespace ridgeline
