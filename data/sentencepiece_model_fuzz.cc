// SPDX-License-Identifier: Apache-2.0
// Fuzz target for a SentencePiece model file, also what libsentencepiece does with it.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <string_view>

#include "data/fuzz_tokenizer.h"
#include "data/sentencepiece_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  auto vocabulary = ridgeline::ParseSentencePieceModel(input);
  if (!vocabulary.ok()) {
    ridgeline::CheckFuzzedTokenizer(vocabulary.status());
    return 0;
  }
  const ridgeline::SpecialTokens special = ridgeline::SpecialTokensOf(*vocabulary);
  ridgeline::CheckFuzzedTokenizer(ridgeline::MakeSentencePieceTokenizer(*std::move(vocabulary), special));
  return 0;
}
