// SPDX-License-Identifier: Apache-2.0
// NCCL's part of host_cuda.h, and what a test can provoke in it.
#pragma once

#include <nccl.h>

namespace ridgeline::host_nccl {

// The next operation of this thread's connections fails with `result`, as if by itself, once it is under way.
void FailNext(ncclResult_t result);
// Of all connections that were aborted in this process.
int AbortCount();

}  // namespace ridgeline::host_nccl
