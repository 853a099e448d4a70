// SPDX-License-Identifier: Apache-2.0
// Fuzz target for a tokenizer_config.json beside a vocabulary of three tokens.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <cstdlib>

#include "data/hf_tokenizer_json.h"

namespace {

std::optional<uint32_t> IdOf(std::string_view text) {
  if (text == "<s>") return 0;
  if (text == "</s>") return 1;
  return text == "a" ? std::optional<uint32_t>(2) : std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ridgeline::SpecialTokens special;
  const absl::Status status =
      ridgeline::ApplyHfTokenizerConfig({reinterpret_cast<const char*>(data), size}, IdOf, &special);
  if (!status.ok() && !absl::IsDataLoss(status)) std::abort();
  if (status.ok() && (special.bos_id.value_or(0) > 2 || special.eos_id.value_or(0) > 2)) std::abort();
  if (special.prompt_begins_with_bos && !special.bos_id.has_value()) std::abort();
  return 0;
}
