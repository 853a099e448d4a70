// SPDX-License-Identifier: Apache-2.0
// Fuzz target for GGUF bytes: whatever is accepted can be read through every accessor, and its metadata encodes to
// what a file of its own holds. With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the
// corpus in every build.
#include <cstdint>

#include "weights/fuzz_invariants.h"
#include "weights/gguf.h"
#include "weights/gguf_writer.h"

namespace ridgeline {
namespace {

// At most one accessor of each kind finds a value, and arrays have the length that they claim.
void RequireReadable(const GgufFile& file, const std::string& key, const GgufValue& value) {
  const auto texts = file.FindStringArray(key);
  const auto floats = file.FindFloatArray(key);
  const auto integers = file.FindIntArray(key);
  Require(!texts || texts->size() == value.count);
  Require(!floats || floats->size() == value.count);
  Require(!integers || integers->size() == value.count);
  const int scalars = file.FindString(key).has_value() + file.FindUint(key).has_value() +
                      file.FindFloat(key).has_value() + file.FindBool(key).has_value();
  const int arrays = texts.has_value() + floats.has_value() + integers.has_value();
  Require(scalars <= (value.is_array ? 0 : 1) && arrays <= (value.is_array ? 1 : 0));
  Require(file.metadata().contains(key) == file.FindString(key).has_value());
}

}  // namespace
}  // namespace ridgeline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto file = ridgeline::ParseGguf(input, "fuzz");
  if (!file.ok()) {
    ridgeline::RequirePromisedError(file.status());
    return 0;
  }
  ridgeline::RequireSoundTensors(**file, input);
  for (const auto& [key, value] : (*file)->values()) ridgeline::RequireReadable(**file, key, value);
  ridgeline::GgufMetadata copy;
  copy.CopyFrom(**file, "");
  for (const auto& [key, encoded] : copy.encoded()) ridgeline::Require(input.find(encoded) != std::string_view::npos);
  return 0;
}
