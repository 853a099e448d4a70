// SPDX-License-Identifier: Apache-2.0
// What `ridgeline doctor` says of GPUs. Pure.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "cli/verbs/finding.h"
#include "device/gpus.h"

namespace ridgeline {

// Driver, each GPU and its MIG instances, what is visible of them, and whether this build can use them. A machine
// without any part of a driver lacks nothing, unless the build is for GPUs.
std::vector<Finding> GpuFindings(const absl::StatusOr<HostGpus>& host, const CudaEnvironment& environment,
                                 bool has_cuda);

}  // namespace ridgeline
