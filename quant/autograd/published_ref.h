// SPDX-License-Identifier: Apache-2.0
// The plain twins of estimators that bring their own grid, as their papers and packages write them.
#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

#include "method/quantizer_spec.h"

namespace ridgeline {

// Whether an estimator of Decoding::kOwn has its twin here.
bool HasPublished_ref(std::string_view estimator);

// x: (rows, block) -> (rows, block). REQUIRES: HasPublished_ref(spec.estimator).
at::Tensor QuantizeBlocksAsPublished_ref(const at::Tensor& x, const QuantizerSpec& spec);

}  // namespace ridgeline
