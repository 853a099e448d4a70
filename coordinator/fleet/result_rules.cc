// SPDX-License-Identifier: Apache-2.0
#include "coordinator/fleet/result_rules.h"

#include <fmt/format.h>

#include <cmath>

#include "common/artifact_files.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "coordinator/fleet/record_rules.h"

namespace ridgeline {
namespace {

// A path is given for people to look at; where a job's artifacts lie is not the worker's choice.
absl::Status CheckArtifact(const v1::Artifact& artifact, const std::string& job_id) {
  RETURN_IF_ERROR(CheckPlainName(artifact.name()));
  for (const v1::Artifact::File& file : artifact.files()) RETURN_IF_ERROR(CheckRelativePath(file.name()));
  if (artifact.path() == fmt::format("jobs/{}/artifacts/{}", job_id, artifact.name())) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("artifact '{}' does not lie in jobs/{}/artifacts", artifact.name(), job_id));
}

absl::Status CheckArtifacts(const v1::AttemptResult& result) {
  for (const v1::Artifact& artifact : result.artifacts()) RETURN_IF_ERROR(CheckArtifact(artifact, result.job_id()));
  return absl::OkStatus();
}

// An older worker says none, and a newer one may say what this program does not know.
v1::ExitReason ReasonOf(const v1::AttemptResult& result) {
  const v1::ExitReason said = result.exit_reason();
  if (result.outcome() == v1::COMPLETED || result.outcome() == v1::REACHED) return v1::EXIT_REASON_UNSPECIFIED;
  if (said != v1::EXIT_REASON_UNSPECIFIED) return v1::ExitReason_IsValid(said) ? said : v1::EXIT_ERROR;
  switch (result.outcome()) {
    case v1::STOPPED:
      return v1::EXIT_CANCELLED;
    case v1::PREEMPTED:
      return v1::EXIT_PREEMPTED;
    case v1::NO_ROOM:
      return v1::EXIT_NO_ROOM;
    case v1::LOST:
      return v1::EXIT_LOST;
    default:
      return v1::EXIT_ERROR;
  }
}

// What the worker said does not stand.
void Refuse(const std::string& why, v1::ExitReason reason, v1::AttemptEnded* ended) {
  ended->set_outcome(v1::ERROR);
  ended->set_exit_reason(reason);
  ended->set_detail(why);
  ended->clear_artifacts();
}

}  // namespace

v1::AttemptEnded EndOf(const v1::AttemptResult& result, bool wants_point, int64_t stop_at_step) {
  v1::AttemptEnded ended;
  ended.set_job_id(result.job_id());
  ended.set_epoch(result.epoch());
  ended.set_detail(PrintableLine(result.detail(), kMaxDetailBytes));
  ended.set_outcome(result.outcome());
  ended.set_exit_reason(ReasonOf(result));
  const bool known_outcome = result.outcome() == v1::COMPLETED || result.outcome() == v1::ERROR ||
                             result.outcome() == v1::STOPPED || result.outcome() == v1::PREEMPTED ||
                             result.outcome() == v1::NO_ROOM || result.outcome() == v1::LOST ||
                             (result.outcome() == v1::REACHED && stop_at_step > 0);
  if (!known_outcome)
    Refuse(fmt::format("the worker sent outcome {}: {}", result.outcome(), ended.detail()), v1::EXIT_ERROR, &ended);
  if (result.outcome() != v1::COMPLETED) return ended;
  if (const absl::Status status = CheckArtifacts(result); !status.ok()) {
    Refuse(fmt::format("the worker sent an artifact that is refused: {}", std::string(status.message())),
           v1::EXIT_ERROR, &ended);
    return ended;
  }
  *ended.mutable_artifacts() = result.artifacts();
  if (!wants_point && !result.has_point()) return ended;
  if (const absl::Status status = CheckFrontierPoint(result.point()); status.ok()) {
    *ended.mutable_point() = result.point();
  } else {
    const bool finite = result.point().has_loss() && std::isfinite(result.point().loss());
    Refuse(
        fmt::format("{}the worker's result is refused: {}", finite ? "" : "NONFINITE: ", std::string(status.message())),
        finite ? v1::EXIT_ERROR : v1::EXIT_NONFINITE, &ended);
  }
  return ended;
}

}  // namespace ridgeline
