// SPDX-License-Identifier: Apache-2.0
// Packed weights from any bytes: what CheckPacked accepts is decoded, by both twins and to the same numbers.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "quant/codes/packed_tensor.h"

namespace ridgeline {
namespace {

constexpr int64_t kRows = 3, kFeatures = 64;

QuantizerSpec SpecOf(uint8_t choice) {
  QuantizerSpec spec{.estimator = "ste", .scheme = Scheme::kLinear, .block = 32};
  const std::vector<Format> formats = EveryFormat();
  spec.format = formats[choice % formats.size()];
  if (OwnBlock(spec.format) > 0) spec.block = OwnBlock(spec.format);
  constexpr SparsityPattern kPatterns[] = {{}, {2, 4}, {1, 8}, {3, 16}};
  spec.sparsity = kPatterns[choice / formats.size() % 4];
  if (choice / formats.size() % 2 == 1 && HasPlainScale(spec.format)) spec.scale_precision = ScalePrecision::kInt8;
  return spec;
}

// The next `count` of the bytes, or as many as are left.
std::vector<uint8_t> Take(const uint8_t** bytes, size_t* size, int64_t count) {
  const size_t taken = std::min(*size, static_cast<size_t>(count));
  std::vector<uint8_t> part(*bytes, *bytes + taken);
  *bytes += taken;
  *size -= taken;
  return part;
}

bool SameNumber(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b)) || a == b;
}

}  // namespace
}  // namespace ridgeline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace ridgeline;  // NOLINT
  if (size == 0) return 0;
  const PackedLayout layout = PackedLayoutOf(SpecOf(*bytes++), kRows, kFeatures).value();
  --size;
  PackedTensor packed{.layout = layout};
  packed.codes = Take(&bytes, &size, layout.code_bytes());
  packed.masks = Take(&bytes, &size, layout.mask_bytes());
  packed.scales = Take(&bytes, &size, layout.all_scale_bytes());
  packed.offsets = Take(&bytes, &size, layout.offset_bytes());
  packed.steps = Take(&bytes, &size, layout.step_bytes());
  packed.selectors = Take(&bytes, &size, layout.selector_bytes());
  if (!CheckPacked(packed.view()).ok()) return 0;
  std::vector<float> x_hat(kRows * kFeatures), by_ref(kRows * kFeatures);
  DecodeRows(packed.view(), 0, kRows, Rotated::kBack, x_hat.data());
  DecodeRows_ref(packed.view(), 0, kRows, Rotated::kBack, by_ref.data());
  for (size_t i = 0; i < x_hat.size(); ++i)
    if (!SameNumber(x_hat[i], by_ref[i])) std::abort();
  return 0;
}
