// SPDX-License-Identifier: Apache-2.0
// Fuzz target for a vocab.json, a zero byte, then a merges.txt.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <string_view>

#include "data/bpe_tokenizer.h"
#include "data/fuzz_tokenizer.h"
#include "data/vocab_and_merges.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  auto vocabulary = ridgeline::ParseVocabAndMerges(
      input.substr(0, end), end == std::string_view::npos ? std::string_view() : input.substr(end + 1));
  ridgeline::CheckFuzzedTokenizer(vocabulary.ok() ? ridgeline::MakeBpeTokenizer(*std::move(vocabulary))
                                                  : vocabulary.status());
  return 0;
}
