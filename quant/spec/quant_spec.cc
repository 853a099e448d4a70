// SPDX-License-Identifier: Apache-2.0
#include "quant/spec/quant_spec.h"

#include <array>
#include <bit>
#include <utility>

#include "fmt/format.h"
#include "quant/spec/definition.h"
#include "quant/spec/float_element.h"

namespace ridgeline {
namespace {

constexpr std::array<std::pair<std::string_view, Format>, 25> kFormats = {{{"none", Format::kNone},
                                                                           {"int1", Format::kInt1},
                                                                           {"int2", Format::kInt2},
                                                                           {"int3", Format::kInt3},
                                                                           {"int4", Format::kInt4},
                                                                           {"int5", Format::kInt5},
                                                                           {"int6", Format::kInt6},
                                                                           {"int7", Format::kInt7},
                                                                           {"int8", Format::kInt8},
                                                                           {"ternary", Format::kTernary},
                                                                           {"fp4", Format::kFp4},
                                                                           {"fp6_e2m3", Format::kFp6E2M3},
                                                                           {"fp6_e3m2", Format::kFp6E3M2},
                                                                           {"fp8_e4m3", Format::kFp8E4M3},
                                                                           {"fp8_e5m2", Format::kFp8E5M2},
                                                                           {"bitmod_fp3", Format::kBitModFp3},
                                                                           {"bitmod_fp4", Format::kBitModFp4},
                                                                           {"mxfp4", Format::kMxFp4},
                                                                           {"mxfp6_e2m3", Format::kMxFp6E2M3},
                                                                           {"mxfp6_e3m2", Format::kMxFp6E3M2},
                                                                           {"mxfp8_e4m3", Format::kMxFp8E4M3},
                                                                           {"mxfp8_e5m2", Format::kMxFp8E5M2},
                                                                           {"mxint8", Format::kMxInt8},
                                                                           {"nvfp4", Format::kNvFp4},
                                                                           {"nvint4", Format::kNvInt4}}};

absl::Status ValidateSparsity(const QuantizerSpec& spec) {
  const auto [n, m] = spec.sparsity;
  if (!(spec.mask_decay >= 0))
    return absl::InvalidArgumentError(fmt::format("mask_decay is {}: it must be 0 or more", spec.mask_decay));
  const bool is_dense = n == m && n >= 0;
  if (!is_dense && (n < 1 || n > m || m > kLargestSparsityGroup))
    return absl::InvalidArgumentError(
        fmt::format("sparsity keeps {} of {}: keep 1 or more of at most {}", n, m, kLargestSparsityGroup));
  if (is_dense) return absl::OkStatus();
  if (spec.quantizes() && spec.scheme == Scheme::kAffine)
    return absl::InvalidArgumentError(
        "a pruned number must decode to zero, and affine codes decode about the block's mean: use scheme linear");
  const bool has_blocks = spec.quantizes() || spec.hadamard;
  if (has_blocks && spec.granularity == Granularity::kBlock && spec.block % m != 0)
    return absl::InvalidArgumentError(
        fmt::format("blocks of {} cut groups of {}: use a block that {} divides", spec.block, m, m));
  return absl::OkStatus();
}

absl::Status ValidateHadamard(const QuantizerSpec& spec) {
  if (!spec.hadamard && spec.hadamard_signs)
    return absl::InvalidArgumentError(
        "hadamard_signs come before a Hadamard matrix, and hadamard is false: set it to true");
  if (!spec.hadamard && spec.stays_rotated)
    return absl::InvalidArgumentError(
        "stays_rotated is about a Hadamard matrix, and hadamard is false: set it to true");
  if (!spec.hadamard) return absl::OkStatus();
  if (spec.granularity != Granularity::kBlock)
    return absl::InvalidArgumentError(fmt::format(
        "hadamard rotates blocks, and granularity is {}: use granularity block", GranularityName(spec.granularity)));
  if ((spec.block & (spec.block - 1)) != 0)
    return absl::InvalidArgumentError(
        fmt::format("block is {}: a Hadamard block is a power of two, such as 64 or 128", spec.block));
  return absl::OkStatus();
}

}  // namespace

bool QuantizerSpec::learns_scale() const {
  return quantizes() && (estimator == "lsq" || estimator == "paretoq" || estimator == "post" || estimator == "asq");
}

bool QuantizerSpec::detaches_fit() const {
  return fit_gradient == FitGradient::kDetached || (fit_gradient == FitGradient::kOwn && estimator == "ridge_trust");
}

double TrustOf(const QuantizerSpec& spec) {
  if (spec.trust > 0) return spec.trust;
  return spec.format == Format::kInt1 ? 1.30 : 0;
}

QuantizerSpec ResolveDefaults(const QuantizerSpec& spec) {
  QuantizerSpec resolved = spec;
  resolved.trust = TrustOf(spec);
  resolved.fit_gradient = spec.detaches_fit() ? FitGradient::kDetached : FitGradient::kGraph;
  return resolved;
}

absl::StatusOr<Format> ParseFormat(std::string_view name) {
  for (const auto& [text, format] : kFormats)
    if (text == name) return format;
  std::string names;
  for (const auto& [text, format] : kFormats) names += fmt::format("{}{}", names.empty() ? "" : ", ", text);
  return absl::InvalidArgumentError(fmt::format("unknown format '{}': use {}", name, names));
}

absl::StatusOr<Scheme> ParseScheme(std::string_view name) {
  if (name == "linear") return Scheme::kLinear;
  if (name == "affine") return Scheme::kAffine;
  return absl::InvalidArgumentError(fmt::format("unknown scheme '{}': use linear or affine", name));
}

absl::StatusOr<Granularity> ParseGranularity(std::string_view name) {
  if (name == "block") return Granularity::kBlock;
  if (name == "row") return Granularity::kRow;
  if (name == "tensor") return Granularity::kTensor;
  return absl::InvalidArgumentError(fmt::format("unknown granularity '{}': use block, row or tensor", name));
}

absl::StatusOr<GridGradient> ParseGridGradient(std::string_view name) {
  if (name == "detached") return GridGradient::kDetached;
  if (name == "graph") return GridGradient::kGraph;
  return absl::InvalidArgumentError(fmt::format("unknown grid_gradient '{}': use detached or graph", name));
}

absl::StatusOr<FitGradient> ParseFitGradient(std::string_view name) {
  if (name == "own") return FitGradient::kOwn;
  if (name == "graph") return FitGradient::kGraph;
  if (name == "detached") return FitGradient::kDetached;
  return absl::InvalidArgumentError(fmt::format("unknown fit_gradient '{}': use own, graph or detached", name));
}

absl::StatusOr<GridStatistics> ParseGridStatistics(std::string_view name) {
  if (name == "minmax") return GridStatistics::kMinMax;
  if (name == "gaussian") return GridStatistics::kGaussian;
  return absl::InvalidArgumentError(fmt::format("unknown grid '{}': use minmax or gaussian", name));
}

std::string_view FormatName(Format format) {
  for (const auto& [text, value] : kFormats)
    if (value == format) return text;
  return "none";
}

std::string_view GridStatisticsName(GridStatistics grid) {
  return grid == GridStatistics::kMinMax ? "minmax" : "gaussian";
}

std::string_view GranularityName(Granularity granularity) {
  if (granularity == Granularity::kBlock) return "block";
  return granularity == Granularity::kRow ? "row" : "tensor";
}

std::string_view SchemeName(Scheme scheme) { return scheme == Scheme::kLinear ? "linear" : "affine"; }

absl::Status ValidateQuantizerSpec(const QuantizerSpec& spec) {
  if (spec.block < 2)
    return absl::InvalidArgumentError(fmt::format("block is {}: at least 2 numbers share a grid", spec.block));
  if (!(spec.lambda >= 0))
    return absl::InvalidArgumentError(fmt::format("lambda is {}: it must be 0 or more", spec.lambda));
  if (!(spec.trust >= 0))
    return absl::InvalidArgumentError(fmt::format("trust is {}: it must be 0 or more", spec.trust));
  if (spec.quantizes()) {
    if (absl::Status format = ValidateFormatDefinition(spec); !format.ok()) return format;
    if (absl::Status estimator = ValidateEstimatorDefinition(spec); !estimator.ok()) return estimator;
  }
  if (absl::Status hadamard = ValidateHadamard(spec); !hadamard.ok()) return hadamard;
  return ValidateSparsity(spec);
}

absl::Status ValidateFeatures(const QuantizerSpec& spec, int64_t features) {
  if (spec.sparsity.is_sparse() && features % spec.sparsity.m != 0)
    return absl::InvalidArgumentError(fmt::format(
        "{} features leave a tail of {} behind sparse groups of {}: use a pattern that divides the features", features,
        features % spec.sparsity.m, spec.sparsity.m));
  if (!spec.hadamard || features % spec.block == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} features leave a tail of {} behind Hadamard blocks of {}: use a block that divides the features",
                  features, features % spec.block, spec.block));
}

double CodeBits(Format format) {
  if (format == Format::kNone) return 16;
  if (format == Format::kTernary) return 1.6;
  const FloatElement element = FloatElementOf(format);
  return element.enabled() ? 1 + element.exponent_bits + element.mantissa_bits : IntegerBits(format);
}

double GridMetadataBits(const QuantizerSpec& spec) {
  if (ScaleEncodingOf(spec.format) != ScaleEncoding::kFloat16) return 8;
  return (spec.scheme == Scheme::kLinear ? 16 : 32) + (IsBitMod(spec.format) ? 2 : 0);
}

int MaskBitsPerGroup(const SparsityPattern& sparsity) {
  if (!sparsity.is_sparse()) return 0;
  uint64_t choices = 1;  // Binomial: each step divides without a remainder. C(32, 16) times 32 has room.
  for (int i = 1; i <= sparsity.n; ++i)
    choices = choices * static_cast<uint64_t>(sparsity.m - sparsity.n + i) / static_cast<uint64_t>(i);
  return std::bit_width(choices - 1);
}

double TensorMetadataBits(Format format) { return ScaleEncodingOf(format) == ScaleEncoding::kE4m3 ? 32 : 0; }

}  // namespace ridgeline
