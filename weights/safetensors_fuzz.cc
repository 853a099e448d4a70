// SPDX-License-Identifier: Apache-2.0
// Fuzz target for safetensors bytes: whatever is accepted holds tensors whose sizes add up to the data.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <cstring>

#include "weights/fuzz_invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto file = ridgeline::ParseSafetensors(input, "fuzz");
  if (!file.ok()) {
    ridgeline::RequirePromisedError(file.status());
    return 0;
  }
  ridgeline::RequireSoundTensors(**file, input);
  uint64_t header_bytes = 0, tensor_bytes = 0;
  std::memcpy(&header_bytes, data, sizeof header_bytes);
  for (const ridgeline::TensorView& tensor : (*file)->tensors()) tensor_bytes += tensor.bytes.size();
  ridgeline::Require(sizeof header_bytes + header_bytes + tensor_bytes == size);
  return 0;
}
