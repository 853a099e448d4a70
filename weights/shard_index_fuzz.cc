// SPDX-License-Identifier: Apache-2.0
// Fuzz target for a safetensors index: every shard that is accepted is a file's name, never a path.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>

#include "weights/fuzz_invariants.h"
#include "weights/safetensors_contents.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto shards = ridgeline::ParseShardIndex({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!shards.ok()) {
    ridgeline::Require(absl::IsDataLoss(shards.status()));
    return 0;
  }
  for (const auto& [tensor, shard] : *shards)
    ridgeline::Require(!shard.empty() && shard.find_first_of("/\\") == std::string::npos && shard != "..");
  return 0;
}
