// SPDX-License-Identifier: Apache-2.0
// For tests on machines without a GPU: those entry points of CUDA and NCCL that comm/nccl uses, implemented on the
// host. A device's memory is the host's, a stream is a thread that does what it is given in order, ranks are threads of
// one process. Linked in the place of the real libraries into comm/nccl's contract test, and into nothing else. It says
// nothing of whether the real ones do what it does; that is for a GPU to show.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace ridgeline::host_cuda {

// Given to the stream's thread; runs when everything given before has run.
void Enqueue(cudaStream_t stream, std::function<void()> work);

}  // namespace ridgeline::host_cuda
