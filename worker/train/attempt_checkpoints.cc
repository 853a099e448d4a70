// SPDX-License-Identifier: Apache-2.0
#include "worker/train/attempt_checkpoints.h"

#include <cmath>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "common/sha256.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "worker/checkpoint/checkpoint_source.h"
#include "worker/checkpoint/store/checkpoint_folders.h"
#include "worker/train/artifact.h"
#include "worker/train/schedule.h"

namespace ridgeline {
namespace {

std::string RootOf(const AttemptContext& context) {
  return (std::filesystem::path(context.work_dir) / CheckpointsOf(context.assignment.job_id())).string();
}

std::string RecipeHash(const v1::Recipe& recipe) {
  v1::Recipe decisive = recipe;  // What does not change the numbers may differ between attempts.
  decisive.clear_priority();
  decisive.clear_queue();
  decisive.clear_labels();
  decisive.clear_resources();
  decisive.clear_recovery();
  decisive.clear_export_();
  if (decisive.has_parallelism()) {  // How ranks share the model; what gradients travel in stays.
    decisive.mutable_parallelism()->clear_shard_degree();
    decisive.mutable_parallelism()->clear_replicate_degree();
    decisive.mutable_parallelism()->clear_reshard_after_forward();
  }
  return Sha256Hex(decisive.SerializeAsString());
}

}  // namespace

AttemptCheckpoints::AttemptCheckpoints(AttemptContext* context)
    : context_(*context),
      root_(RootOf(*context)),
      recipe_hash_(RecipeHash(context->recipe())),
      saving_(context, root_) {}

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
  ASSIGN_OR_RETURN(const std::unique_ptr<CheckpointSource> source, CheckpointSource::Open(folder));
  const CheckpointManifest& manifest = source->manifest();
  RETURN_IF_ERROR(strategy->Restore(*source, SparsityAt(context_.recipe(), pattern, manifest.step)));
  last_step_ = manifest.step;
  if (context_.is_root()) RETURN_IF_ERROR(TellResumed(folder, manifest.step));
  return Progress{.step = manifest.step,
                  .skipped = {.total = manifest.skipped_steps, .in_a_row = manifest.skipped_in_a_row}};
}

// The coordinator may have heard of another one: of a newer one that is damaged, or of none.
absl::Status AttemptCheckpoints::TellResumed(const std::string& folder, int64_t step) {
  const v1::Assign& assignment = context_.assignment;
  if (assignment.has_resume_from() && assignment.resume_from().step() == step) return absl::OkStatus();
  ASSIGN_OR_RETURN(v1::Checkpoint checkpoint, DescribeCheckpoint(folder));
  checkpoint.set_path(context_.PathFromWorkFolder(folder));
  context_.observer->OnResumed(checkpoint);
  return absl::OkStatus();
}

void AttemptCheckpoints::Validated(int64_t step, double loss) {
  validated_step_ = step;
  validation_loss_ = loss;
}

absl::Status AttemptCheckpoints::WriteIfDue(const Progress& progress, bool force, const Strategy& strategy) {
  const int64_t interval = context_.recipe().checkpoint().interval();
  const bool due = interval > 0 && progress.step % interval == 0;
  if ((due || force) && progress.step != last_step_) {
    RETURN_IF_ERROR(saving_.Finish());
    context_.reporter.Phase(progress.step, "checkpointing");
    saving_.Start(HeaderAt(progress), strategy);
    last_step_ = progress.step;
  }
  return force ? saving_.Finish() : absl::OkStatus();
}

CheckpointManifest AttemptCheckpoints::HeaderAt(const Progress& progress) const {
  CheckpointManifest header{.step = progress.step,
                            .job_id = context_.assignment.job_id(),
                            .recipe_sha256 = recipe_hash_,
                            .skipped_steps = progress.skipped.total,
                            .skipped_in_a_row = progress.skipped.in_a_row,
                            .ranks = context_.communicator.size(),
                            .version = RIDGELINE_VERSION};
  if (validated_step_ == progress.step && std::isfinite(validation_loss_)) header.validation_loss = validation_loss_;
  return header;
}

}  // namespace ridgeline
