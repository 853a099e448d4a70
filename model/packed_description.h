// SPDX-License-Identifier: Apache-2.0
// What the config.json of a packed model says of its quantizers (docs/formats.md#packed-models). No LibTorch.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/blueprint/quantizers.h"
#include "nlohmann/json.hpp"
#include "weights/weight_file.h"

namespace ridgeline {

inline constexpr char kQuantizationKey[] = "quantization_config";

// Whether a config.json is that of a packed model.
bool IsPackedConfig(const nlohmann::json& config);

// The value of kQuantizationKey. Weights say what decoding needs, inputs what quantizing them needs.
nlohmann::json DescribeQuantizers(const Quantizers& quantizers);

// The same as text: the metadata kQuantizationKey of a packed model's safetensors file, which so says itself what its
// codes are. Spaces fill it up to a multiple of 1,024 bytes: files are not larger for an estimator with a longer name,
// which would decide between points that are alike in all else.
std::string QuantizersText(const Quantizers& quantizers);

// And back from config.json. INVALID_ARGUMENT names `path`, the key and what is wrong: a key that is missing, unknown
// or of another type, a quantizer without a definition or without codes.
absl::StatusOr<Quantizers> QuantizersFromConfig(const nlohmann::json& config, const std::string& path);

// OK if these, read from the config.json at `config_path`, are those that a weight file says that it was written with,
// or if it says nothing, as files of earlier versions do. INVALID_ARGUMENT names the first key that differs, with both
// values; DATA_LOSS if that metadata is no description.
absl::Status CheckWrittenWith(const Quantizers& quantizers, const std::string& config_path, const WeightFile& weights,
                              const std::string& weights_path);

}  // namespace ridgeline
