// SPDX-License-Identifier: Apache-2.0
#include "weights/weight_file.h"

#include <algorithm>
#include <utility>

namespace ridgeline {

WeightFile::WeightFile(Contents contents) : contents_(std::move(contents)) {
  std::sort(contents_.tensors.begin(), contents_.tensors.end(),
            [](const TensorView& a, const TensorView& b) { return a.name < b.name; });
}

const TensorView* WeightFile::Find(std::string_view name) const {
  auto at = std::lower_bound(contents_.tensors.begin(), contents_.tensors.end(), name,
                             [](const TensorView& tensor, std::string_view key) { return tensor.name < key; });
  return at != contents_.tensors.end() && at->name == name ? &*at : nullptr;
}

}  // namespace ridgeline
