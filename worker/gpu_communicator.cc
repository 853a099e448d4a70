// SPDX-License-Identifier: Apache-2.0
#include "worker/gpu_communicator.h"

#include <utility>

#ifdef RIDGELINE_WITH_CUDA
#include <c10/cuda/CUDAStream.h>

#include "comm/nccl/nccl_communicator.h"
#endif

namespace ridgeline {

absl::StatusOr<std::unique_ptr<Communicator>> CommunicatorOf(const RankDevice& device,
                                                             std::unique_ptr<Communicator> host) {
  if (!device.is_cuda) return host;
#ifdef RIDGELINE_WITH_CUDA
  const auto index = static_cast<c10::DeviceIndex>(device.index);
  return MakeNcclCommunicator(std::move(host), {.device = device.index, .caller_stream = [index] {
                                                  return c10::cuda::getCurrentCUDAStream(index).stream();
                                                }});
#else
  return absl::FailedPreconditionError("this build has no CUDA: make programs CUDA=1");
#endif
}

}  // namespace ridgeline
