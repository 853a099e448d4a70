// SPDX-License-Identifier: Apache-2.0
#include "net/roles.h"

#include <gtest/gtest.h>

#include <set>

namespace ridgeline {
namespace {

TEST(RolesTest, EachRoleMayWhatTheOneBeforeMayAndWorkersStandApart) {
  const Role ladder[] = {Role::kNobody, Role::kViewer, Role::kSubmitter, Role::kAdmin};
  for (int has = 0; has < 4; ++has) {
    for (int required = 0; required < 4; ++required)
      EXPECT_EQ(Suffices(ladder[has], ladder[required]), has >= required) << has << " " << required;
  }
  for (const Role other : {Role::kViewer, Role::kSubmitter, Role::kAdmin}) {
    EXPECT_FALSE(Suffices(Role::kWorker, other));
    EXPECT_FALSE(Suffices(other, Role::kWorker));
  }
  EXPECT_FALSE(Suffices(Role::kNobody, Role::kWorker));
  EXPECT_TRUE(Suffices(Role::kWorker, Role::kWorker));
}

TEST(RolesTest, NobodyMayCallWhatTheTableDoesNotHave) {
  EXPECT_FALSE(RequiredRole("/ridgeline.v1.Coordinator/NoSuch").has_value());
  EXPECT_FALSE(RequiredRole("").has_value());
  EXPECT_EQ(RequiredRole("/ridgeline.v1.Coordinator/SubmitJob"), Role::kSubmitter);
}

TEST(RolesTest, TheTableHasEachRpcOnce) {
  std::set<std::string_view> rpcs;
  for (const RpcRule& rule : RpcRules()) EXPECT_TRUE(rpcs.insert(rule.rpc).second) << rule.rpc;
  EXPECT_GT(rpcs.size(), 12u);
}

TEST(RolesTest, RolesAreReadByTheirNames) {
  for (const Role role : {Role::kViewer, Role::kSubmitter, Role::kAdmin, Role::kWorker})
    EXPECT_EQ(*ParseRole(RoleName(role)), role);
  for (const char* name : {"", "nobody", "Admin", "root"}) EXPECT_FALSE(ParseRole(name).ok()) << name;
}

}  // namespace
}  // namespace ridgeline
