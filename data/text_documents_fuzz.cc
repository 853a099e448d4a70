// SPDX-License-Identifier: Apache-2.0
// Fuzz target for files of text: the first byte says by which name, the rest is the file.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/utf8.h"
#include "data/text_documents.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  constexpr const char* kNames[] = {"a.txt", "a.jsonl", "a.jsonl.gz", "a.txt.xz"};
  const ridgeline::DocumentOptions options{.skip_invalid = data[0] >= 128, .max_line_bytes = 1'000};
  const auto documents = ridgeline::ParseDocuments(kNames[data[0] % 4], std::string(data + 1, data + size), options);
  if (!documents.ok() || !documents->is_lines) return 0;
  for (const std::string& text : documents->texts)
    if (text.empty() || !ridgeline::CheckUtf8(text).ok()) std::abort();
  return 0;
}
