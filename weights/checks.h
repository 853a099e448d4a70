// SPDX-License-Identifier: Apache-2.0
// What both formats have to be checked for, whatever the header looks like.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "weights/weight_file.h"

namespace ridgeline {

bool IsUtf8(std::string_view text);

// Not empty, UTF-8, without NUL: fit for error messages, logs and other programs' strings.
bool IsCleanName(std::string_view name);

enum class Gaps { kAllowed, kRefused };

// Do the tensors lie in `data` without overlaps and, if refused, without gaps? DATA_LOSS (without the file's name)
// tells which tensor. REQUIRES: every tensor's bytes are inside `data`.
absl::Status CheckLayout(std::string_view data, const std::vector<TensorView>& tensors, Gaps gaps);

}  // namespace ridgeline
