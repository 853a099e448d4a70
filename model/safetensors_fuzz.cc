// SPDX-License-Identifier: Apache-2.0
// Fuzz target for safetensors bytes: whatever is accepted holds tensors whose sizes add up to the data.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "model/safetensors.h"
#include "quant/autograd/torch_pch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto file = ridgeline::ParseSafetensors(input, "fuzz");
  if (!file.ok()) {
    if (file.status().code() != absl::StatusCode::kDataLoss) std::abort();
    return 0;
  }
  uint64_t header_bytes = 0, tensor_bytes = 0;
  std::memcpy(&header_bytes, data, sizeof header_bytes);
  for (const auto& [name, tensor] : file->tensors) tensor_bytes += tensor.nbytes();
  if (sizeof header_bytes + header_bytes + tensor_bytes != size) std::abort();
  return 0;
}
