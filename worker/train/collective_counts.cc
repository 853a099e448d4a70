// SPDX-License-Identifier: Apache-2.0
#include "worker/train/collective_counts.h"

namespace ridgeline {

CollectiveCounts CountsSince(const CollectiveCounts& before, const CollectiveCounts& now) {
  CollectiveCounts added = now;
  for (size_t i = 0; i < added.size(); ++i) {
    added[i].calls -= before[i].calls;
    added[i].bytes -= before[i].bytes;
    added[i].seconds -= before[i].seconds;
  }
  return added;
}

void AddCounts(const CollectiveCounts& more, CollectiveCounts* sum) {
  for (size_t i = 0; i < more.size(); ++i) {
    (*sum)[i].calls += more[i].calls;
    (*sum)[i].bytes += more[i].bytes;
    (*sum)[i].seconds += more[i].seconds;
  }
}

google::protobuf::RepeatedPtrField<v1::CollectiveCount> CountsMessage(const CollectiveCounts& counts) {
  google::protobuf::RepeatedPtrField<v1::CollectiveCount> message;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i].calls == 0) continue;
    v1::CollectiveCount& count = *message.Add();
    count.set_operation(kCollectiveNames[i]);
    count.set_calls(counts[i].calls);
    count.set_bytes(counts[i].bytes);
    count.set_seconds(counts[i].seconds);
  }
  return message;
}

}  // namespace ridgeline
