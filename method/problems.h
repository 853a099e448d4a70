// SPDX-License-Identifier: Apache-2.0
// What has no definition, or is out of range: said once, for recipes with places in their file and for everybody else
// as a Status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "method/estimator_traits.h"
#include "method/quantizer_spec.h"

namespace ridgeline {

// Of a QuantizerSpec.
enum class SpecField {
  kEstimator,
  kFormat,
  kScheme,
  kBlock,
  kLambda,
  kGridGradient,
  kGrid,
  kFitGradient,
  kTrust,
  kHadamard,
  kHadamardSigns,
  kStaysRotated,
  kGranularity,
  kSparsity,
  kMaskDecay,
  kWeightScales  // ScalePrecision::kInt8
};
std::string_view SpecFieldName(SpecField field);

struct SpecProblem {
  SpecField field;  // What to change.
  SpecField cause;  // What it does not go with; `field` itself where it is out of range.
  std::string message;
  std::string remedy;  // "use linear".
};

// All that is wrong with the spec, in an order that names causes first. Of the side that the tensor is on, if that is
// known. An estimator that is not in the table is a problem; ranges are looked at also where nothing is quantized.
std::vector<SpecProblem> ProblemsOf(const QuantizerSpec& spec, std::optional<Side> side = std::nullopt);

// INVALID_ARGUMENT with the field, the message and the remedy of the first.
absl::Status ValidateQuantizerSpec(const QuantizerSpec& spec, std::optional<Side> side = std::nullopt);

// INVALID_ARGUMENT if rows of `features` numbers cannot be cut into the spec's blocks: a Hadamard block and a sparse
// group have no tail.
absl::Status ValidateFeatures(const QuantizerSpec& spec, int64_t features);

}  // namespace ridgeline
