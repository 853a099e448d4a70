// SPDX-License-Identifier: Apache-2.0
#include "worker/exit_reason.h"

#include <optional>
#include <string_view>

#include "common/file.h"

namespace ridgeline {
namespace {

struct Row {
  std::optional<absl::StatusCode> code;  // Nothing: any.
  std::string_view words;                // In the message; empty: any.
  v1::ExitReason reason;
};

// The first that fits. Words are those of train/exceptions.cc, of nonfinite.h, and of the system.
constexpr Row kRows[] = {
    {std::nullopt, "NONFINITE: ", v1::EXIT_NONFINITE},
    {absl::StatusCode::kDeadlineExceeded, "", v1::EXIT_HUNG},
    {absl::StatusCode::kResourceExhausted, "out of memory", v1::EXIT_OOM},
    {absl::StatusCode::kInternal, "Cannot allocate memory", v1::EXIT_OOM},
    {absl::StatusCode::kResourceExhausted, "", v1::EXIT_BAD_DATA},  // A file that is larger than such files can be.
    {absl::StatusCode::kDataLoss, "", v1::EXIT_BAD_DATA},
    {absl::StatusCode::kNotFound, "", v1::EXIT_BAD_DATA},
    {absl::StatusCode::kPermissionDenied, "", v1::EXIT_BAD_DATA},
    {absl::StatusCode::kInvalidArgument, "", v1::EXIT_BAD_DATA},  // Files that do not fit each other or the recipe.
    {absl::StatusCode::kUnimplemented, "", v1::EXIT_INCOMPATIBLE},
    {absl::StatusCode::kCancelled, "", v1::EXIT_CANCELLED},
};

v1::ExitReason ReasonOf(v1::AttemptOutcome outcome) {
  switch (outcome) {
    case v1::STOPPED:
      return v1::EXIT_CANCELLED;
    case v1::PREEMPTED:
      return v1::EXIT_PREEMPTED;
    case v1::NO_ROOM:
      return v1::EXIT_NO_ROOM;
    case v1::LOST:
      return v1::EXIT_LOST;
    case v1::ERROR:
      return v1::EXIT_ERROR;
    default:
      return v1::EXIT_REASON_UNSPECIFIED;
  }
}

}  // namespace

v1::ExitReason ExitReasonOf(const absl::Status& error) {
  if (IsNoRoom(error)) return v1::EXIT_NO_ROOM;
  const std::string_view message(error.message().data(), error.message().size());
  for (const Row& row : kRows) {
    const bool has_code = !row.code || *row.code == error.code();
    if (has_code && message.find(row.words) != std::string_view::npos) return row.reason;
  }
  return v1::EXIT_ERROR;
}

v1::AttemptResult ResultOf(v1::AttemptOutcome outcome, const std::string& detail) {
  v1::AttemptResult result;
  result.set_outcome(outcome);
  result.set_detail(detail);
  result.set_exit_reason(ReasonOf(outcome));
  return result;
}

v1::AttemptResult ResultOf(const absl::Status& error) {
  const v1::ExitReason reason = ExitReasonOf(error);
  v1::AttemptResult result =
      ResultOf(reason == v1::EXIT_NO_ROOM ? v1::NO_ROOM : v1::ERROR, std::string(error.message()));
  result.set_exit_reason(reason);
  return result;
}

v1::AttemptResult HungResult(const std::string& detail, bool was_cancelled) {
  if (was_cancelled) return ResultOf(v1::STOPPED, detail);
  v1::AttemptResult result = ResultOf(v1::LOST, detail);
  result.set_exit_reason(v1::EXIT_HUNG);
  return result;
}

}  // namespace ridgeline
