// SPDX-License-Identifier: Apache-2.0
#include "coordinator/fleet/collectives_since.h"

#include <fmt/format.h>

#include <map>
#include <string>

namespace ridgeline {

absl::StatusOr<CollectiveCountList> CollectivesSince(const CollectiveCountList& before,
                                                     const CollectiveCountList& now) {
  std::map<std::string, const v1::CollectiveCount*> missing;
  for (const v1::CollectiveCount& count : before) missing[count.operation()] = &count;
  CollectiveCountList added = now;
  for (v1::CollectiveCount& count : added) {
    const auto found = missing.find(count.operation());
    if (found == missing.end()) continue;
    const v1::CollectiveCount& was = *found->second;
    missing.erase(found);
    if (count.calls() < was.calls() || count.bytes() < was.bytes() || count.seconds() < was.seconds())
      return absl::InvalidArgumentError(
          fmt::format("the group's counts of {} have become less since its last heartbeat", count.operation()));
    count.set_calls(count.calls() - was.calls());
    count.set_bytes(count.bytes() - was.bytes());
    count.set_seconds(count.seconds() - was.seconds());
  }
  if (missing.empty()) return added;
  return absl::InvalidArgumentError(
      fmt::format("the group's counts of {} are gone since its last heartbeat", missing.begin()->first));
}

}  // namespace ridgeline
