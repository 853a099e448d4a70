// SPDX-License-Identifier: Apache-2.0
// The tensors of a file that are one packed weight (docs/formats.md#packed-models). No LibTorch.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "quant/codes/packed_tensor.h"
#include "weights/dtype.h"
#include "weights/tensor_declaration.h"
#include "weights/weight_file.h"

namespace ridgeline {

// One of them: NAME.codes, and as the layout has them NAME.masks, NAME.scales, NAME.offsets, NAME.steps, NAME.selectors
// and NAME.tensor_scale. `bytes` are the tensor's, and live as long as it does.
struct PackedPart {
  TensorDeclaration declaration;
  std::string_view bytes;
};
std::vector<PackedPart> PartsOf(const std::string& name, const PackedTensor& packed);

// The names of a weight's parts.
std::vector<std::string> PackedNamesOf(const std::string& name, const PackedLayout& layout);

// What `find` has of the parts, checked: it gets their names, and returns null for those that are not there.
// INVALID_ARGUMENT and DATA_LOSS name the tensor and what is wrong.
absl::StatusOr<PackedView> PackedViewOf(const std::string& name, const PackedLayout& layout,
                                        const std::function<const TensorView*(const std::string& name)>& find);

}  // namespace ridgeline
