// SPDX-License-Identifier: Apache-2.0
// Stored elements to float32 and back. Plain functions on the caller's memory: any thread, no allocation when decoding.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "weights/weight_file.h"

namespace ridgeline {

// Elements first_element .. first_element + out.size() of the tensor, in row-major order; slices may be decoded on
// several threads. Block types decode to the numbers that ggml gives, bit for bit; F64 and I64 round to nearest.
// INVALID_ARGUMENT if the slice leaves the tensor or does not begin and end between blocks.
absl::Status DecodeToFloat(const TensorView& tensor, int64_t first_element, std::span<float> out);

// Appends the elements as `dtype` to `bytes`: F32, F16, BF16 (to nearest even), Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 (scale
// and codes as ggml's reference quantizer chooses them). INVALID_ARGUMENT if the elements are not whole blocks, or a
// block holds NaN, an infinity, or numbers whose scale is beyond a half; UNIMPLEMENTED for other types names these.
absl::Status EncodeFromFloat(Dtype dtype, std::span<const float> elements, std::string* bytes);

}  // namespace ridgeline
