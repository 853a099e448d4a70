// SPDX-License-Identifier: Apache-2.0
#include "worker/train/attempt_checkpoints.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "common/sha256.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "worker/train/artifact.h"
#include "worker/train/checkpoint.h"
#include "worker/train/exceptions.h"
#include "worker/train/schedule.h"

namespace ridgeline {
namespace {

std::string RootOf(const AttemptContext& context) {
  return (std::filesystem::path(context.work_dir) / "jobs" / context.assignment.job_id() / "checkpoints").string();
}

std::string RecipeHash(const v1::Recipe& recipe) {
  v1::Recipe decisive = recipe;  // What does not change the numbers may differ between attempts.
  decisive.clear_priority();
  decisive.clear_labels();
  decisive.clear_resources();
  decisive.clear_recovery();
  decisive.clear_export_();
  return Sha256Hex(decisive.SerializeAsString());
}

}  // namespace

AttemptCheckpoints::AttemptCheckpoints(AttemptContext* context)
    : context_(*context), root_(RootOf(*context)), recipe_hash_(RecipeHash(context->recipe())) {}

absl::StatusOr<std::string> AttemptCheckpoints::Choose() {
  absl::StatusOr<std::string> folder = context_.is_root() ? ChooseOnRoot() : "";
  RETURN_IF_ERROR(context_.Agree(folder.status(), "choice of a checkpoint"));
  RETURN_IF_ERROR(context_.communicator.BroadcastFromRoot(&*folder, "choice of a checkpoint"));
  return folder;
}

absl::StatusOr<std::string> AttemptCheckpoints::ChooseOnRoot() {
  const v1::Assign& assignment = context_.assignment;
  if (!assignment.has_resume_from() && assignment.epoch() <= 1) {
    // What a first attempt finds can only be of another life, whose jobs had the same numbers.
    std::error_code error;
    std::filesystem::remove_all(root_, error);
    RemoveArtifacts(context_.work_dir, assignment.job_id());
    return "";
  }
  const FoundCheckpoint found = FindNewestCheckpoint(root_, assignment.job_id(), recipe_hash_);
  for (const std::string& why : found.passed_over)
    context_.reporter.Log("warn", fmt::format("a checkpoint is passed over: {}", why));
  // Without one to resume from, an earlier attempt may have written one while the coordinator was away, or none.
  if (found.folder.empty() && assignment.has_resume_from())
    return absl::NotFoundError(fmt::format("no usable checkpoint under {}{}{}", root_,
                                           found.passed_over.empty() ? "" : "; ", fmt::join(found.passed_over, "; ")));
  return found.folder;
}

absl::StatusOr<Progress> AttemptCheckpoints::Resume(const std::string& folder, const SparsityPattern& pattern,
                                                    Strategy* strategy) {
  if (folder.empty()) return Progress{};
  // Rank 0 has hashed it to choose it.
  ASSIGN_OR_RETURN(const CheckpointState state, ReadCheckpoint(folder, /*verified=*/context_.is_root()));
  StateInMemory source(state.tensors.tensors);
  const absl::Status restored = strategy->Restore(source, SparsityAt(context_.recipe(), pattern, state.step));
  if (!restored.ok())
    return absl::Status(restored.code(), fmt::format("{}: {}", folder, std::string(restored.message())));
  last_step_ = state.step;
  if (context_.is_root()) RETURN_IF_ERROR(TellResumed(folder, state.step));
  return Progress{.step = state.step, .skipped = state.skipped};
}

// The coordinator may have heard of another one: of a newer one that is damaged, or of none.
absl::Status AttemptCheckpoints::TellResumed(const std::string& folder, int64_t step) {
  const v1::Assign& assignment = context_.assignment;
  if (assignment.has_resume_from() && assignment.resume_from().step() == step) return absl::OkStatus();
  ASSIGN_OR_RETURN(v1::Checkpoint checkpoint, DescribeCheckpoint(folder, step));
  checkpoint.set_path(PathFromWorkFolder(folder));
  context_.observer->OnResumed(checkpoint);
  return absl::OkStatus();
}

absl::Status AttemptCheckpoints::WriteIfDue(const Progress& progress, bool force, const Strategy& strategy) {
  const int64_t interval = context_.recipe().checkpoint().interval();
  const bool due = interval > 0 && progress.step % interval == 0;
  if ((!due && !force) || progress.step == last_step_) return absl::OkStatus();
  context_.reporter.Phase(progress.step, "checkpointing");
  const absl::Status written = ConvertExceptions([&] {
    std::map<std::string, at::Tensor> tensors;
    for (const StateShard& shard : strategy.State()) tensors[shard.name] = shard.rows;
    return context_.is_root() ? WriteOnRoot(progress, std::move(tensors)) : absl::OkStatus();
  });
  RETURN_IF_ERROR(context_.Agree(written, "checkpoint"));
  last_step_ = progress.step;
  return absl::OkStatus();
}

absl::Status AttemptCheckpoints::WriteOnRoot(const Progress& progress, std::map<std::string, at::Tensor> tensors) {
  const v1::Assign& assignment = context_.assignment;
  CheckpointState state{.step = progress.step,
                        .epoch = assignment.epoch(),
                        .job_id = assignment.job_id(),
                        .recipe_sha256 = recipe_hash_,
                        .skipped = progress.skipped};
  state.tensors.tensors = std::move(tensors);
  ASSIGN_OR_RETURN(v1::Checkpoint checkpoint, WriteCheckpoint(root_, state));
  checkpoint.set_path(PathFromWorkFolder(checkpoint.path()));
  context_.observer->OnCheckpoint(checkpoint);
  const absl::Status removed =
      RemoveOldCheckpoints(root_, context_.recipe().checkpoint().keep_latest(), assignment.epoch());
  if (!removed.ok())
    context_.reporter.Log("warn", fmt::format("old checkpoints stay: {}", std::string(removed.message())));
  return absl::OkStatus();
}

// Another group may see the same storage at another place.
std::string AttemptCheckpoints::PathFromWorkFolder(const std::string& path) const {
  return std::filesystem::path(path).lexically_relative(context_.work_dir).string();
}

}  // namespace ridgeline
