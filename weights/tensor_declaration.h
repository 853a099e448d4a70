// SPDX-License-Identifier: Apache-2.0
// What a writer has to know of a tensor before the first byte is written: headers come first in both formats.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weights/dtype.h"

namespace ridgeline {

struct TensorDeclaration {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;  // Outermost first
};

}  // namespace ridgeline
