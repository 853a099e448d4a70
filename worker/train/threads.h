// SPDX-License-Identifier: Apache-2.0
// How many threads a rank computes with: ranks times threads must not exceed the cores.
#pragma once

namespace ridgeline {

// OMP_NUM_THREADS if it is set, else this node's cores divided by its ranks.
void UseComputeThreads(int ranks_on_node);

}  // namespace ridgeline
