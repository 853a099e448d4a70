// SPDX-License-Identifier: Apache-2.0
// Collectives between GPUs, over NCCL: memory of devices is sent by it, everything else by another communicator of the
// same ranks. Sums are exchanges of parts, added in the order of ranks by a kernel: as many bytes as a ring sends, and
// the bits of the other backends.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "comm/communicator.h"

namespace ridgeline {

struct NcclOptions {
  int device = 0;  // CUDA's number of this rank's GPU.
  // The stream that the caller gives work to now; called by the thread that calls the communicator. Operations come
  // after what it has been given, on a stream of their own.
  std::function<cudaStream_t()> caller_stream;
};

// A collective of the host's ranks, each of which has a GPU of its own; `host` is theirs alone from now on. What it
// says of errors: a rank that does not come is DEADLINE_EXCEEDED, named, also when NCCL first meets; a connection that
// breaks is UNAVAILABLE, and other ways to fail INTERNAL, with rank, operation, its number on this rank's GPU and the
// step. After one, NCCL's connections of the rank are aborted and every operation on devices gives the same error.
absl::StatusOr<std::unique_ptr<Communicator>> MakeNcclCommunicator(std::unique_ptr<Communicator> host,
                                                                   const NcclOptions& options);

}  // namespace ridgeline
