// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/admin_text.h"

#include <fmt/format.h>

#include "cli/shared/job_text.h"
#include "cli/shared/table.h"

namespace ridgeline {
namespace {

std::string TokenState(const v1::Token& token, int64_t now_unix_ms) {
  if (token.is_revoked()) return "revoked";
  if (!token.used_by().empty()) return "joined";
  if (token.expire_unix_ms() > 0 && token.expire_unix_ms() <= now_unix_ms) return "expired";
  if (token.previous_expire_unix_ms() > now_unix_ms) return "rotating";
  return "good";
}

}  // namespace

std::string TokenTable(const v1::ListTokensResponse& tokens, int64_t now_unix_ms, const Style& style) {
  Table table({{"TOKEN"}, {"ROLE"}, {"STATE"}, {"CREATED"}, {"EXPIRES"}, {"USED BY"}});
  for (const v1::Token& token : tokens.tokens()) {
    table.AddRow({token.name(), token.role() + (token.is_single_use() ? ", joins once" : ""),
                  TokenState(token, now_unix_ms), TimeText(token.create_unix_ms()),
                  token.expire_unix_ms() == 0 ? "never" : TimeText(token.expire_unix_ms()), token.used_by()});
  }
  return table.ToString(style);
}

std::string AuditTable(const v1::ListAuditResponse& audit, const Style& style) {
  Table table({{"EVENT", true}, {"TIME"}, {"WHO"}, {"ROLE"}, {"FROM"}, {"DID"}, {"TO"}, {"DETAIL", false, true}});
  for (const v1::AuditEntry& entry : audit.entries()) {
    table.AddRow({fmt::format("{}", entry.sequence()), TimeText(entry.time_unix_ms()), entry.actor(), entry.role(),
                  entry.address(), entry.action(), entry.target(), entry.detail()});
  }
  return table.ToString(style);
}

}  // namespace ridgeline
