// SPDX-License-Identifier: Apache-2.0
#include "common/sha256.h"

#include <gtest/gtest.h>

namespace ridgeline {
namespace {

TEST(Sha256Test, MatchesThePublishedVectorForAbc) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256Test, MissingFileIsNotFound) {
  EXPECT_EQ(Sha256HexOfFile("does-not-exist").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace ridgeline
