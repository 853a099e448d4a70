// SPDX-License-Identifier: Apache-2.0
// LibTorch throws; the worker's own code returns errors. This is where one becomes the other, inside each part of a run
// that ranks must leave together.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// What `work` returns, or the error that its exception means: RESOURCE_EXHAUSTED with "out of memory" and a remedy for
// lack of memory of host or device, UNIMPLEMENTED for what LibTorch cannot do, INTERNAL for all others.
absl::Status ConvertExceptions(const std::function<absl::Status()>& work);

// For what only the recipe decides: INVALID_ARGUMENT as UNIMPLEMENTED, since here it means that this group, or this
// version of it, cannot do what the recipe asks for. All else as it is.
absl::Status AsIncompatible(const absl::Status& status);

template <typename Value>
absl::StatusOr<Value> AsIncompatible(absl::StatusOr<Value> result) {
  if (!result.ok()) return AsIncompatible(result.status());
  return result;
}

}  // namespace ridgeline
