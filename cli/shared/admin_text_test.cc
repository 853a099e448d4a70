// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/admin_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ridgeline {
namespace {

using testing::ContainsRegex;

constexpr int64_t kNow = 1'800'000'000'000;

TEST(AdminText, TokensSayWhetherTheyAreGoodAndForWhom) {
  v1::ListTokensResponse tokens;
  const auto add = [&](const char* name) -> v1::Token& {
    v1::Token& token = *tokens.add_tokens();
    token.set_name(name);
    token.set_role("viewer");
    token.set_create_unix_ms(kNow - 1);
    return token;
  };
  add("plain");
  add("gone").set_is_revoked(true);
  add("old").set_expire_unix_ms(kNow);
  add("brief").set_expire_unix_ms(kNow + 1);
  add("two").set_previous_expire_unix_ms(kNow + 1);
  v1::Token& join = add("rack");
  join.set_role("worker");
  join.set_is_single_use(true);
  join.set_used_by("g1");
  const std::string text = TokenTable(tokens, kNow, Style());
  EXPECT_THAT(text, ContainsRegex("plain +viewer +good .* never"));
  EXPECT_THAT(text, ContainsRegex("gone +viewer +revoked"));
  EXPECT_THAT(text, ContainsRegex("old +viewer +expired"));
  EXPECT_THAT(text, ContainsRegex("brief +viewer +good"));
  EXPECT_THAT(text, ContainsRegex("two +viewer +rotating"));
  EXPECT_THAT(text, ContainsRegex("rack +worker, joins once +joined .* g1"));
}

TEST(AdminText, AuditIsALineForEachEntry) {
  v1::ListAuditResponse audit;
  v1::AuditEntry& entry = *audit.add_entries();
  entry.set_sequence(7);
  entry.set_time_unix_ms(kNow);
  entry.set_actor("alice");
  entry.set_role("submitter");
  entry.set_address("ipv4:10.0.0.1:5");
  entry.set_action("cancel");
  entry.set_target("job-3");
  EXPECT_THAT(AuditTable(audit, Style()),
              ContainsRegex("7  2027-01-15 08:00:00Z  alice  submitter  ipv4:10.0.0.1:5  cancel  job-3  -"));
}

}  // namespace
}  // namespace ridgeline
