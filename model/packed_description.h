// SPDX-License-Identifier: Apache-2.0
// What the config.json of a packed model says of its quantizers (docs/formats.md#packed-models). No LibTorch.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/blueprint/quantizers.h"
#include "nlohmann/json.hpp"

namespace ridgeline {

inline constexpr char kQuantizationKey[] = "quantization_config";

// Whether a config.json is that of a packed model.
bool IsPackedConfig(const nlohmann::json& config);

// The value of kQuantizationKey. Weights say what decoding needs, inputs what quantizing them needs.
nlohmann::json DescribeQuantizers(const Quantizers& quantizers);

// And back. INVALID_ARGUMENT names `path`, the key and what is wrong: a key that is missing, unknown or of another
// type, a quantizer without a definition or without codes.
absl::StatusOr<Quantizers> QuantizersFromConfig(const nlohmann::json& config, const std::string& path);

}  // namespace ridgeline
