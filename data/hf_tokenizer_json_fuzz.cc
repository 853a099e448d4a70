// SPDX-License-Identifier: Apache-2.0
// Fuzz target for a Hugging Face tokenizer.json.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <string_view>

#include "data/bpe_tokenizer.h"
#include "data/fuzz_tokenizer.h"
#include "data/hf_tokenizer_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  auto vocabulary = ridgeline::ParseHfTokenizerJson(input);
  ridgeline::CheckFuzzedTokenizer(vocabulary.ok() ? ridgeline::MakeBpeTokenizer(*std::move(vocabulary))
                                                  : vocabulary.status());
  return 0;
}
