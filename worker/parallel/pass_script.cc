// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/pass_script.h"

#include "model/blueprint/shards.h"

namespace ridgeline {

std::vector<PassCall> ScriptOf(UnitKeeper::Pass pass, int64_t blocks) {
  using Kind = PassCall::Kind;
  std::vector<PassCall> script = {{Kind::kBeforeForward, kOuterUnit}};
  for (int64_t block = 0; block < blocks; ++block) {
    script.push_back({Kind::kBeforeForward, block});
    script.push_back({Kind::kAfterForward, block});
  }
  if (pass == UnitKeeper::Pass::kTraining) script.push_back({Kind::kBeforeBackward, kOuterUnit});
  script.push_back({Kind::kAfterForward, kOuterUnit});
  if (pass == UnitKeeper::Pass::kForward) return script;
  for (int64_t block = blocks - 1; block >= 0; --block) {
    script.push_back({Kind::kBeforeBackward, block});
    script.push_back({Kind::kAfterBackward, block});
  }
  script.push_back({Kind::kAfterBackward, kOuterUnit});
  return script;
}

}  // namespace ridgeline
