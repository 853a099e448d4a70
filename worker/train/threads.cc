// SPDX-License-Identifier: Apache-2.0
#include "worker/train/threads.h"

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "quant/autograd/torch_pch.h"

namespace ridgeline {

void UseComputeThreads(int ranks_on_node) {
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return;
  int cores = static_cast<int>(std::thread::hardware_concurrency());
  at::set_num_threads(std::max(1, cores / std::max(1, ranks_on_node)));
}

}  // namespace ridgeline
