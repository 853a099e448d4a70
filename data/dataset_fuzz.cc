// SPDX-License-Identifier: Apache-2.0
// Fuzz target for what a dataset folder holds: dataset.json, a zero byte, then a token file.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "data/dataset_format.h"

namespace {

void CheckTokens(std::string_view bytes, int64_t tokens, int64_t vocab_size) {
  // Mapped files are aligned; the fuzzer's bytes are not.
  std::vector<uint32_t> aligned(bytes.size() / 4 + 1);
  if (!bytes.empty()) std::memcpy(aligned.data(), bytes.data(), bytes.size());
  std::string_view view(reinterpret_cast<const char*>(aligned.data()), bytes.size());
  auto ids = ridgeline::ParseTokenFile(view, tokens, vocab_size);
  if (!ids.ok()) return;
  if (static_cast<int64_t>(ids->size()) != tokens) std::abort();
  for (uint32_t id : *ids) {
    if (id >= vocab_size) std::abort();
  }
  // What was accepted is what we write.
  if (ridgeline::EncodeTokenFile(*ids, vocab_size).substr(ridgeline::kTokenHeaderBytes) !=
      view.substr(ridgeline::kTokenHeaderBytes))
    std::abort();
}

// Tokenizers with files have fuzz targets of their own.
absl::StatusOr<std::string> NoFile(const std::string& name) { return absl::NotFoundError(name); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  size_t end = input.find('\0');
  auto manifest = ridgeline::ParseDatasetManifest(std::string(input.substr(0, end)), NoFile);
  std::string_view tokens = end == std::string_view::npos ? std::string_view() : input.substr(end + 1);
  if (!manifest.ok()) {
    CheckTokens(tokens, 3, 5);
    return 0;
  }
  std::string json = ridgeline::DatasetManifestToJson(manifest->info, *manifest->tokenizer);
  auto again = ridgeline::ParseDatasetManifest(json, NoFile);
  if (!again.ok() || ridgeline::DatasetManifestToJson(again->info, *again->tokenizer) != json) std::abort();
  CheckTokens(tokens, manifest->info.train_tokens, manifest->info.vocab_size);
  return 0;
}
