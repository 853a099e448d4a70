// SPDX-License-Identifier: Apache-2.0
// Models that whole-model benchmarks time: a named shape with random weights.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/language_model.h"

namespace ridgeline {

inline constexpr char kRandomModelNames[] = "gemma3-270m, gemma3-1b, gemma3-4b, gpt-nano, gpt-11m, gpt2";

struct RandomModelOptions {
  std::string name = "gemma3-270m";  // Of kRandomModelNames
  int64_t layers = 0;                // Of a Gemma shape; 0: as the shape has.
  int64_t seq_len = 256;             // The positions of a GPT.
};

// float32 or bfloat16, by the name that recipes use.
at::ScalarType DtypeOf(const std::string& name);

// The same weights for the same options. INVALID_ARGUMENT for a name that is none of these.
absl::StatusOr<std::unique_ptr<LanguageModel>> RandomModel(const RandomModelOptions& shape,
                                                           const ModelOptions& options);

int64_t ParameterCount(const LanguageModel& model);

}  // namespace ridgeline
