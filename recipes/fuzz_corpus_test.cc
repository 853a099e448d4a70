// SPDX-License-Identifier: Apache-2.0
// Replays fuzz_corpus/, the seeds and whatever the fuzzer once found, in normal builds.
#include <filesystem>

#include "common/file.h"
#include "gtest/gtest.h"
#include "recipes/recipe_fuzz.h"

namespace ridgeline {
namespace {

TEST(FuzzCorpusTest, EveryTextKeepsThePromise) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(RIDGELINE_SOURCE_DIR "/recipes/fuzz_corpus")) {
    absl::StatusOr<std::string> text = ReadFile(entry.path());
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_EQ(CheckAnyRecipeText(*text), "") << entry.path();
    ++count;
  }
  EXPECT_GE(count, 10);
}

}  // namespace
}  // namespace ridgeline
