// SPDX-License-Identifier: Apache-2.0
// Fuzz target for a config.json: what is accepted is a shape that holds together.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <cstdlib>

#include "model/gemma3_config.h"
#include "model/gpt2_config.h"
#include "model/packed_description.h"
#include "nlohmann/json.hpp"
#include "weights/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto root = ridgeline::ParseJsonObject({reinterpret_cast<const char*>(data), size}, ridgeline::kConfigJson);
  if (!root.ok()) return 0;
  const auto gemma = ridgeline::Gemma3ConfigFromJson(*root, "fuzz");
  if (gemma.ok() ? !ridgeline::ValidateGemma3Config(*gemma).ok() : !absl::IsInvalidArgument(gemma.status()))
    std::abort();
  const auto gpt = ridgeline::Gpt2ConfigFromJson(*root, "fuzz");
  if (gpt.ok() ? gpt->n_layers < 1 || gpt->vocab_size < 1 : !absl::IsInvalidArgument(gpt.status())) std::abort();
  if (ridgeline::IsPackedConfig(*root)) {
    const auto quantizers = ridgeline::QuantizersFromConfig(*root, "fuzz");
    if (!quantizers.ok() && !absl::IsInvalidArgument(quantizers.status())) std::abort();
  }
  return 0;
}
