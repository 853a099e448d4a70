// SPDX-License-Identifier: Apache-2.0
// Fuzz target for the tokenizer in a GGUF file.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <string_view>

#include "data/fuzz_tokenizer.h"
#include "data/gguf_vocabulary.h"
#include "weights/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  auto file = ridgeline::ParseGguf(input, "fuzz");
  if (file.ok()) ridgeline::CheckFuzzedTokenizer(ridgeline::MakeTokenizerFromGguf(**file));
  return 0;
}
