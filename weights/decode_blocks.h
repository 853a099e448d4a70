// SPDX-License-Identifier: Apache-2.0
// One block to float32. Products and sums are in ggml's order, so the numbers are its numbers. For this room only.
#pragma once

#include "weights/blocks.h"

namespace ridgeline {

// `out` takes 32 elements.
void DecodeBlock(const BlockQ8_0& block, float* out);
void DecodeBlock(const BlockQ4_0& block, float* out);
void DecodeBlock(const BlockQ4_1& block, float* out);
void DecodeBlock(const BlockQ5_0& block, float* out);
void DecodeBlock(const BlockQ5_1& block, float* out);
void DecodeBlock(const BlockMXFP4& block, float* out);

// `out` takes 64 elements.
void DecodeBlock(const BlockQ2_0& block, float* out);

// `out` takes 128 elements.
void DecodeBlock(const BlockQ1_0& block, float* out);

// `out` takes 256 elements.
void DecodeBlock(const BlockQ4_K& block, float* out);
void DecodeBlock(const BlockQ5_K& block, float* out);
void DecodeBlock(const BlockQ6_K& block, float* out);
void DecodeBlock(const BlockTQ1_0& block, float* out);
void DecodeBlock(const BlockTQ2_0& block, float* out);

}  // namespace ridgeline
