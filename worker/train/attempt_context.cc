// SPDX-License-Identifier: Apache-2.0
#include "worker/train/attempt_context.h"

#include <filesystem>

#include "comm/agreement.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {

AttemptContext::AttemptContext(const v1::Assign& assignment, Communicator& communicator, const std::string& work_dir,
                               RunObserver* observer)
    : assignment(assignment),
      communicator(communicator),
      work_dir(work_dir),
      observer(observer),
      reporter(assignment.recipe(), assignment.stop_at_step(), observer, communicator.rank()) {}

absl::Status AttemptContext::Agree(const absl::Status& mine, const char* what) {
  // Rank 0's own reason is the attempt's, which is told at its end.
  if (!mine.ok() && !is_root()) reporter.LogOfRank("error", fmt::format("{}: {}", what, std::string(mine.message())));
  const absl::Status all = AgreeThatAllSucceeded(mine, what, communicator);
  if (absl::IsDeadlineExceeded(all)) return all;
  RETURN_IF_ERROR(reporter.PassLinesOn(communicator));
  return all;
}

std::string AttemptContext::PathFromWorkFolder(const std::string& path) const {
  return std::filesystem::path(path).lexically_relative(work_dir).string();
}

}  // namespace ridgeline
