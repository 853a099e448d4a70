// SPDX-License-Identifier: Apache-2.0
// The communicator of a group whose ranks compute on GPUs.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "comm/communicator.h"
#include "device/placement.h"

namespace ridgeline {

// `host` itself where ranks compute on CPUs; else NCCL for the memory of GPUs beside it, after a meeting of all ranks.
// UseRankDevice comes before.
absl::StatusOr<std::unique_ptr<Communicator>> CommunicatorOf(const RankDevice& device,
                                                             std::unique_ptr<Communicator> host);

}  // namespace ridgeline
