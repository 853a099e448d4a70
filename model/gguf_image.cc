// SPDX-License-Identifier: Apache-2.0
#include "model/gguf_image.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "quant/codes/code_book.h"
#include "quant/codes/packed_layout.h"
#include "weights/block_codes.h"

namespace ridgeline {
namespace {

constexpr int64_t kSmallestBlock = 32;  // Of GGUF's types.

absl::Status NoImage(const QuantizerSpec& spec, std::string_view why, std::string_view remedy) {
  return absl::InvalidArgumentError(fmt::format("{} {} of {} has no exact image in GGUF: {}; {}",
                                                FormatName(spec.format), SchemeName(spec.scheme), spec.estimator, why,
                                                remedy));
}

// All that a number of the matrix may be before its scale.
std::vector<float> LevelsOf(const QuantizerSpec& spec, const CodeBook& book) {
  std::vector<float> levels;
  for (float level : book.levels())
    if (!std::isnan(level)) levels.push_back(level);
  if (IsBitMod(spec.format))
    for (float extra : BitModExtras(spec.format)) levels.push_back(extra);
  if (spec.sparsity.is_sparse()) levels.push_back(0);
  return levels;
}

// The power of two that all levels are multiples of; 0 if there is none.
float StepOf(const std::vector<float>& levels) {
  float step = std::numeric_limits<float>::max();
  for (float level : levels)
    if (level != 0) step = std::min(step, std::abs(level));
  int exponent = 0;
  const bool is_step = std::frexp(step, &exponent) == 0.5f && std::all_of(levels.begin(), levels.end(), [&](float l) {
                         return l / step == std::rint(l / step);
                       });
  return is_step ? step : 0;
}

bool Holds(Dtype dtype, const std::vector<float>& levels, float step) {
  return std::all_of(levels.begin(), levels.end(),
                     [&](float level) { return HoldsWhole(dtype, static_cast<int>(std::lrint(level / step))); });
}

// Whether each block of the type lies in one block of the matrix.
bool Fits(Dtype dtype, const PackedLayout& layout) {
  const int64_t block = BlockElements(dtype);
  return layout.features % block == 0 && (layout.blocks_per_row == 1 || layout.block % block == 0);
}

std::string RemedyOfLevels(const QuantizerSpec& spec) {
  return spec.scheme == Scheme::kAffine ? "take int1 to int5 affine, or up to int7 linear"
                                        : "take integers up to int7, ternary, fp4, mxfp4 or fp6_e2m3";
}

absl::Status CheckBlocks(const QuantizerSpec& spec, const PackedLayout& layout) {
  if (layout.features % kSmallestBlock != 0)
    return NoImage(spec, fmt::format("rows of {} numbers are not whole blocks of {}", layout.features, kSmallestBlock),
                   "leave this layer out with quant.skip, or write values (--dtype f16)");
  if (layout.blocks_per_row > 1 && layout.block % kSmallestBlock != 0)
    return NoImage(spec, fmt::format("its blocks of {} numbers are not whole ones of {}", layout.block, kSmallestBlock),
                   fmt::format("take a block of {}, 64, 128 or 256", kSmallestBlock));
  return absl::OkStatus();
}

}  // namespace

double BitsPerNumber(Dtype dtype) {
  return 8.0 * static_cast<double>(BlockBytes(dtype)) / static_cast<double>(BlockElements(dtype));
}

absl::StatusOr<GgufImage> GgufImageOf(const QuantizerSpec& spec, int64_t features) {
  ASSIGN_OR_RETURN(const PackedLayout layout, PackedLayoutOf(spec, 1, features));
  ASSIGN_OR_RETURN(const CodeBook book, CodeBookOf(spec));
  if (spec.hadamard)
    return NoImage(spec, "its weights are rotated, and llama.cpp does not rotate inputs", "set quant.hadamard: false");
  const ScaleEncoding scale = ScaleEncodingOf(spec.format);
  if (scale == ScaleEncoding::kE4m3)
    return NoImage(spec, "its scales are E4M3 times one of the tensor, and no halves", "take fp4 or mxfp4");
  const std::vector<float> levels = LevelsOf(spec, book);
  const float step = StepOf(levels);
  if (step == 0) return NoImage(spec, "its levels are no multiples of a power of two", RemedyOfLevels(spec));
  RETURN_IF_ERROR(CheckBlocks(spec, layout));
  for (Dtype dtype : TypesOfCodes()) {
    if (HasBlockOffset(dtype) != layout.has_offsets) continue;
    if (dtype == Dtype::kMXFP4 && scale != ScaleEncoding::kPowerOfTwo) continue;
    if (!Fits(dtype, layout)) continue;
    for (float signed_step : {step, -step})
      if (Holds(dtype, levels, signed_step)) return GgufImage{dtype, signed_step};
  }
  const auto [least, largest] = std::minmax_element(levels.begin(), levels.end());
  return NoImage(spec,
                 fmt::format("no type holds the whole numbers {} to {} that its levels are steps of{}", *least / step,
                             *largest / step, layout.has_offsets ? " with an offset" : ""),
                 RemedyOfLevels(spec));
}

absl::Status CheckGgufImages(const ParameterList& network, const Quantizers& quantizers) {
  for (const ParameterShape& parameter : network) {
    const QuantizerSpec spec = WeightQuantizerOf(parameter, quantizers);
    if (!spec.quantizes()) continue;
    if (const auto image = GgufImageOf(spec, parameter.columns()); !image.ok())
      return absl::Status(image.status().code(),
                          fmt::format("{}: {}", parameter.name, std::string(image.status().message())));
  }
  return absl::OkStatus();
}

}  // namespace ridgeline
