// SPDX-License-Identifier: Apache-2.0
#include "recipes/exit_reason.h"

namespace ridgeline {
namespace {

constexpr std::string_view kPrefix = "EXIT_";

}  // namespace

std::string ExitReasonName(v1::ExitReason reason) {
  if (reason == v1::EXIT_REASON_UNSPECIFIED || !v1::ExitReason_IsValid(reason)) return "";
  return v1::ExitReason_Name(reason).substr(kPrefix.size());
}

std::string_view Remedy(v1::ExitReason reason) {
  switch (reason) {
    case v1::EXIT_OOM:
      return "lower training.local_batch_size, training.global_batch_size or training.seq_len, share the model "
             "(parallelism.shard_degree), or run it on more ranks or more memory (resources.ranks, resources.memory); "
             "`ridgeline plan` says what a rank needs";
    case v1::EXIT_HUNG:
      return "nothing, if it goes on elsewhere; if it comes again, look at the host of the rank that is named, and "
             "where ranks are only slow raise recovery.hang_timeout";
    case v1::EXIT_LOST:
      return "nothing, if it goes on elsewhere; if it comes again, look at the worker group's log and its host";
    case v1::EXIT_PREEMPTED:
      return "nothing: it goes on from its checkpoint when there is room for it";
    case v1::EXIT_NONFINITE:
      return "lower optimizer.lr or training.max_norm, or raise quant.lambda (which helps estimator ridge), and submit "
             "it again";
    case v1::EXIT_BAD_DATA:
      return "mend the file that is named (`ridgeline data verify`, `ridgeline model inspect`, `ridgeline checkpoint "
             "verify`), see that the worker may read it, and `ridgeline retry` the job";
    case v1::EXIT_CANCELLED:
      return "nothing: it was cancelled; `ridgeline retry` takes it up again";
    case v1::EXIT_INCOMPATIBLE:
      return "change the key that is named, or run it on a worker group that can: `ridgeline worker list` has their "
             "versions, ranks and devices";
    case v1::EXIT_NO_ROOM:
      return "make room on the disk of the work folder (`ridgeline checkpoint gc`): the job goes on by itself";
    case v1::EXIT_TIME_LIMIT:
      return "raise resources.time_limit, or give it as long again from its last checkpoint with `ridgeline retry`";
    case v1::EXIT_ERROR:
      return "see `ridgeline logs` of the job for what came before, and `ridgeline retry` it when that is mended";
    default:
      return "";
  }
}

}  // namespace ridgeline
