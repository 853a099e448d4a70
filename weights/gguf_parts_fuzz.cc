// SPDX-License-Identifier: Apache-2.0
// Fuzz target for a GGUF in parts: those that are joined are one sound model, which does not call itself a part.
// An input is several files, each behind its length in two bytes.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <utility>
#include <vector>

#include "weights/fuzz_invariants.h"
#include "weights/gguf_contents.h"

namespace ridgeline {
namespace {

// The last file has what is left, if that is less than it says.
std::string_view NextFile(std::string_view* input) {
  const size_t length = static_cast<uint8_t>((*input)[0]) | size_t{static_cast<uint8_t>((*input)[1])} << 8;
  const std::string_view file = input->substr(2, length);
  input->remove_prefix(2 + file.size());
  return file;
}

}  // namespace
}  // namespace ridgeline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ridgeline;  // NOLINT
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::vector<GgufPart> parts;
  size_t tensors = 0;
  for (std::string_view rest = input; rest.size() >= 2;) {
    auto contents = ParseGgufContents(NextFile(&rest), "fuzz");
    if (!contents.ok()) return 0;  // gguf_fuzz's.
    tensors += contents->file.tensors.size();
    parts.push_back({"part", *std::move(contents)});
  }
  if (parts.empty()) return 0;
  const auto file = JoinGgufParts(std::move(parts));
  if (!file.ok()) {
    Require(absl::IsDataLoss(file.status()));
    return 0;
  }
  Require((*file)->tensors().size() == tensors);
  RequireSoundTensors(**file, input);
  for (const auto& [key, value] : (*file)->values()) Require(!key.starts_with("split."));
  return 0;
}
