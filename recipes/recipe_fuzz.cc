// SPDX-License-Identifier: Apache-2.0
// libFuzzer's entry: `build-fuzz/bin/recipe_fuzz recipes/fuzz_corpus`. Built with RIDGELINE_FUZZ and clang.
#include "recipes/recipe_fuzz.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string failure = ridgeline::CheckAnyRecipeText({reinterpret_cast<const char*>(data), size});
  if (!failure.empty()) {
    std::fprintf(stderr, "%s\n", failure.c_str());
    std::abort();
  }
  return 0;
}
