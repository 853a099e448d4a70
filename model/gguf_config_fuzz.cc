// SPDX-License-Identifier: Apache-2.0
// Fuzz target for a GGUF as a model: its metadata becomes a shape, its tensors that shape's weights, or a refusal.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <cstdlib>

#include "model/gemma3_config.h"
#include "model/stored_weights.h"
#include "weights/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = ridgeline::ParseGguf({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!file.ok()) return 0;
  const auto config = ridgeline::Gemma3ConfigFromGguf(**file, "fuzz");
  if (!config.ok()) {
    if (!absl::IsInvalidArgument(config.status())) std::abort();
    return 0;
  }
  if (!ridgeline::ValidateGemma3Config(*config).ok()) std::abort();
  if (config->n_layers > 1000) return 0;  // Each has its names, which take their time.
  const auto weights = ridgeline::StoredWeights::Create(**file, ridgeline::WeightNaming::kGguf);
  const absl::Status checked = weights.ok() ? weights->Check(*config, {}) : weights.status();
  if (!checked.ok() && !absl::IsInvalidArgument(checked)) std::abort();
  return 0;
}
