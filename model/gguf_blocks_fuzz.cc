// SPDX-License-Identifier: Apache-2.0
// Fuzz target for codes on their way to GGUF: any bytes that CheckPacked accepts, of every quantizer that has an image,
// become blocks that decode to the numbers that the codes stand for, or a refusal.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "method/every_spec.h"
#include "model/gguf_blocks.h"
#include "weights/decode.h"

namespace ridgeline {
namespace {

constexpr int64_t kRows = 2, kFeatures = 256;

void Require(bool holds) {
  if (!holds) std::abort();
}

struct Case {
  PackedLayout layout;
  GgufImage image;
};

std::vector<Case> EveryImage() {
  std::vector<Case> cases;
  for (int64_t block : {32, 128})
    for (const QuantizerSpec& spec :
         EverySpec({.estimators = [](const EstimatorTraits& row) { return row.is_defined_for(Side::kWeight); },
         .granularities = {Granularity::kBlock, Granularity::kRow, Granularity::kTensor},
         .sparsities = {{}, {2, 4}},
         .scale_precisions = {ScalePrecision::kFloat16, ScalePrecision::kInt8},
         .block = block}))
      if (const auto image = GgufImageOf(spec, kFeatures); image.ok())
        cases.push_back({PackedLayoutOf(spec, kRows, kFeatures).value(), *image});
  Require(!cases.empty());
  return cases;
}

// The next `count` of the bytes, or as many as are left.
std::vector<uint8_t> Take(std::string_view* input, int64_t count) {
  const std::string_view part = input->substr(0, static_cast<size_t>(count));
  input->remove_prefix(part.size());
  return {part.begin(), part.end()};
}

PackedTensor PackedFrom(const PackedLayout& layout, std::string_view input) {
  PackedTensor packed{.layout = layout};
  packed.scales = Take(&input, layout.all_scale_bytes());
  packed.offsets = Take(&input, layout.offset_bytes());
  packed.steps = Take(&input, layout.step_bytes());
  packed.selectors = Take(&input, layout.selector_bytes());
  packed.masks = Take(&input, layout.mask_bytes());
  packed.codes = Take(&input, layout.code_bytes());
  packed.codes.resize(static_cast<size_t>(layout.code_bytes()));  // A short input is a whole matrix, too.
  return packed;
}

// But that a zero has no sign.
bool IsSame(float a, float b) { return std::bit_cast<uint32_t>(a + 0.0f) == std::bit_cast<uint32_t>(b + 0.0f); }

void RequireSameNumbers(const PackedView& packed, Dtype dtype, std::string_view blocks) {
  std::vector<float> x_hat(kRows * kFeatures), decoded(kRows * kFeatures);
  DecodeRows(packed, 0, kRows, Rotated::kBack, x_hat.data());
  Require(DecodeToFloat({"fuzz", dtype, {kRows, kFeatures}, blocks}, 0, decoded).ok());
  Require(std::equal(x_hat.begin(), x_hat.end(), decoded.begin(), &IsSame));
}

}  // namespace
}  // namespace ridgeline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ridgeline;  // NOLINT
  static const std::vector<Case> cases = EveryImage();
  if (size < 2) return 0;
  const Case& chosen = cases[(data[0] | size_t{data[1]} << 8) % cases.size()];
  const PackedTensor packed = PackedFrom(chosen.layout, {reinterpret_cast<const char*>(data) + 2, size - 2});
  if (!CheckPacked(packed.view()).ok()) return 0;
  const auto blocks = GgufBlocksOf(packed.view(), chosen.image);
  if (blocks.ok())
    RequireSameNumbers(packed.view(), chosen.image.dtype, *blocks);
  else
    Require(absl::IsInvalidArgument(blocks.status()));
  return 0;
}
