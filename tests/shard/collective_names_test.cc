// SPDX-License-Identifier: Apache-2.0
// The coordinator does not see comm/, and has the names of its operations a second time.
#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "comm/communicator.h"
#include "coordinator/fleet/record_rules.h"

namespace ridgeline {
namespace {

TEST(CollectiveNames, AreTheSameForRanksAndTheCoordinator) {
  EXPECT_TRUE(std::ranges::equal(kCollectiveNames, kCollectiveOperations,
                                 [](std::string_view a, std::string_view b) { return a == b; }));
}

}  // namespace
}  // namespace ridgeline
