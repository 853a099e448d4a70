// SPDX-License-Identifier: Apache-2.0
// Fuzz target for manifests of checkpoints: what is accepted has every row once, in files beside it, and is the same
// again when it is written and read. With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the
// corpus in every build.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "worker/checkpoint/store/manifest.h"

namespace ridgeline {
namespace {

// What went wrong; else empty.
std::string CheckAnyManifest(std::string_view text) {
  const absl::StatusOr<CheckpointManifest> manifest = ParseManifest(text);
  if (!manifest.ok()) return absl::IsDataLoss(manifest.status()) ? "" : manifest.status().ToString();
  for (const CheckpointFile& file : manifest->files)
    if (file.name.find('/') != std::string::npos || file.bytes < 0) return "a file that is none: " + file.name;
  for (const auto& [name, tensor] : manifest->tensors) {
    int64_t rows = 0;
    for (const CheckpointShard& shard : tensor.shards) {
      if (shard.file >= manifest->files.size() || shard.begin_row != rows) return "rows in disorder: " + name;
      rows += shard.rows;
    }
    if (rows != tensor.rows()) return "rows are missing: " + name;
  }
  const std::string written = FormatManifest(*manifest);
  const absl::StatusOr<CheckpointManifest> again = ParseManifest(written);
  if (!again.ok()) return "does not read back: " + again.status().ToString();
  return FormatManifest(*again) == written ? "" : "reads back differently";
}

}  // namespace
}  // namespace ridgeline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string failure = ridgeline::CheckAnyManifest({reinterpret_cast<const char*>(data), size});
  if (!failure.empty()) {
    std::fprintf(stderr, "%s\n", failure.c_str());
    std::abort();
  }
  return 0;
}
