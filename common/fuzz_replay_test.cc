// SPDX-License-Identifier: Apache-2.0
// Replays a fuzz target's corpus, and every prefix and single-byte change of it; ridgeline_fuzz() links it to the
// target.
#include <gtest/gtest.h>

#include <filesystem>

#include "common/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace ridgeline {
namespace {

void Replay(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

TEST(FuzzReplayTest, CorpusItsPrefixesAndItsNeighboursHoldTheInvariants) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(RIDGELINE_CORPUS)) {
    std::string input = ReadFile(entry.path().string()).value();
    Replay(input);
    for (size_t size = 0; size < input.size(); ++size) Replay(input.substr(0, size));
    for (size_t place = 0; place < input.size(); ++place) {
      std::string changed = input;
      changed[place] = static_cast<char>(changed[place] ^ (1 << (place % 8)));
      Replay(changed);
    }
    ++files;
  }
  EXPECT_GE(files, 4);
}

}  // namespace
}  // namespace ridgeline
