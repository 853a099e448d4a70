// SPDX-License-Identifier: Apache-2.0
// LibTorch throws; the worker's own code returns errors. This is where one becomes the other, inside each part of a run
// that ranks must leave together.
#pragma once

#include <functional>

#include "absl/status/status.h"

namespace ridgeline {

// What `work` returns, or the error that its exception means: RESOURCE_EXHAUSTED with a remedy for lack of memory,
// INTERNAL for all others.
absl::Status ConvertExceptions(const std::function<absl::Status()>& work);

}  // namespace ridgeline
