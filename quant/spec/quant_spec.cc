// SPDX-License-Identifier: Apache-2.0
#include "quant/spec/quant_spec.h"

#include <array>
#include <utility>

#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr std::array<std::pair<std::string_view, Format>, 7> kFormats = {{
    {"none", Format::kNone}, {"int1", Format::kInt1}, {"int2", Format::kInt2}, {"int3", Format::kInt3},
    {"int4", Format::kInt4}, {"int8", Format::kInt8}, {"ternary", Format::kTernary}}};

}  // namespace

absl::StatusOr<Format> ParseFormat(std::string_view name) {
  for (const auto& [text, format] : kFormats)
    if (text == name) return format;
  return absl::InvalidArgumentError(
      fmt::format("unknown format '{}': use none, int1, int2, int3, int4, int8 or ternary", name));
}

absl::StatusOr<Scheme> ParseScheme(std::string_view name) {
  if (name == "linear") return Scheme::kLinear;
  if (name == "affine") return Scheme::kAffine;
  return absl::InvalidArgumentError(fmt::format("unknown scheme '{}': use linear or affine", name));
}

absl::StatusOr<GridGradient> ParseGridGradient(std::string_view name) {
  if (name == "detached") return GridGradient::kDetached;
  if (name == "graph") return GridGradient::kGraph;
  return absl::InvalidArgumentError(fmt::format("unknown grid_gradient '{}': use detached or graph", name));
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

std::string_view SchemeName(Scheme scheme) { return scheme == Scheme::kLinear ? "linear" : "affine"; }

absl::Status ValidateQuantizerSpec(const QuantizerSpec& spec) {
  if (spec.format == Format::kTernary && spec.scheme != Scheme::kLinear)
    return absl::InvalidArgumentError("format ternary is symmetric about zero: use scheme linear");
  if (spec.block < 2)
    return absl::InvalidArgumentError(fmt::format("block is {}: at least 2 numbers share a grid", spec.block));
  if (!(spec.lambda >= 0))
    return absl::InvalidArgumentError(fmt::format("lambda is {}: it must be 0 or more", spec.lambda));
  if (spec.estimator == "quest" && spec.scheme != Scheme::kLinear)
    return absl::InvalidArgumentError("estimator quest is symmetric about zero: use scheme linear");
  if (spec.estimator == "quest" || spec.estimator == "ridge_trust") {
    if (spec.grid != GridStatistics::kGaussian)
      return absl::InvalidArgumentError(
          fmt::format("estimator {} trusts a Gaussian grid: use grid gaussian", spec.estimator));
    if (spec.grid_gradient != GridGradient::kDetached)
      return absl::InvalidArgumentError(
          fmt::format("estimator {} never differentiates its grid: use grid_gradient detached", spec.estimator));
  }
  if (spec.hadamard && (spec.block & (spec.block - 1)) != 0)
    return absl::InvalidArgumentError(
        fmt::format("block is {}: a Hadamard block is a power of two, such as 64 or 128", spec.block));
  return absl::OkStatus();
}

absl::Status ValidateFeatures(const QuantizerSpec& spec, int64_t features) {
  if (!spec.hadamard || features % spec.block == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} features leave a tail of {} behind Hadamard blocks of {}: use a block that divides the features",
                  features, features % spec.block, spec.block));
}

double GaussianExtent(Format format) {
  switch (format) {
    case Format::kInt1: return 0.7978845608028654;  // sqrt(2 / pi)
    case Format::kTernary: return 1.2240090;
    case Format::kInt2: return 1.4935346;
    case Format::kInt3: return 2.0510684;
    case Format::kInt4: return 2.5139306;
    case Format::kInt8: return 3.8849387;
    case Format::kNone: break;
  }
  return 0;
}

int IntegerBits(Format format) {
  switch (format) {
    case Format::kInt1: return 1;
    case Format::kInt2: return 2;
    case Format::kInt3: return 3;
    case Format::kInt4: return 4;
    case Format::kInt8: return 8;
    case Format::kNone: case Format::kTernary: break;
  }
  return 0;
}

double CodeBits(Format format) {
  if (format == Format::kNone) return 16;
  if (format == Format::kTernary) return 1.6;
  return IntegerBits(format);
}

double BlockMetadataBits(Scheme scheme) { return scheme == Scheme::kLinear ? 16 : 32; }

}  // namespace ridgeline
