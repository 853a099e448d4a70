// SPDX-License-Identifier: Apache-2.0
#include "worker/train/checkpoint_saving.h"

#include <optional>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "worker/checkpoint/shard_file.h"
#include "worker/checkpoint/store/checkpoint_folders.h"
#include "worker/train/exceptions.h"

namespace ridgeline {

CheckpointSaving::CheckpointSaving(AttemptContext* context, std::string root)
    : context_(*context), root_(std::move(root)) {}

CheckpointSaving::~CheckpointSaving() { Clear(); }

void CheckpointSaving::Start(CheckpointManifest header, const Strategy& strategy) {
  auto copies = std::make_shared<std::optional<HostCopies>>();
  const absl::Status copied = ConvertExceptions([&] {
    copies->emplace(strategy.State());
    return absl::OkStatus();
  });
  step_ = header.step;
  stage_ = Stage::kFiles;
  const std::string folder = UnfinishedCheckpoint(root_, step_, context_.assignment.epoch());
  const std::string name = CheckpointFileName(context_.communicator.rank(), context_.communicator.size());
  files_ = std::make_unique<BackgroundWork<CheckpointManifest>>(
      [=](const std::atomic<bool>& given_up) -> absl::StatusOr<CheckpointManifest> {
        RETURN_IF_ERROR(copied);
        ASSIGN_OR_RETURN(CheckpointManifest mine, WriteShardFile(folder, name, (*copies)->Wait(), given_up));
        CheckpointManifest manifest = header;
        manifest.files = std::move(mine.files);
        manifest.tensors = std::move(mine.tensors);
        copies->reset();  // Not only with the result.
        return manifest;
      });
}

SavingCount CheckpointSaving::Count() const {
  switch (stage_) {
    case Stage::kIdle:
      return {};
    case Stage::kFiles:
      return {.ended = files_->is_done() ? 1.0f : 0.0f, .failed = files_->has_failed() ? 1.0f : 0.0f};
    case Stage::kCommit:
      if (commit_ == nullptr) return {.ended = 1};
      return {.ended = commit_->is_done() ? 1.0f : 0.0f, .failed = commit_->has_failed() ? 1.0f : 0.0f};
  }
  return {};
}

absl::Status CheckpointSaving::Proceed(const SavingCount& all) {
  if (stage_ == Stage::kIdle) return absl::OkStatus();
  if (all.failed == 0 && all.ended < static_cast<float>(context_.communicator.size())) return absl::OkStatus();
  return Advance(/*all_are_well=*/all.failed == 0);
}

absl::Status CheckpointSaving::Finish() {
  while (stage_ != Stage::kIdle) {
    context_.reporter.Phase(step_, "checkpointing");
    RETURN_IF_ERROR(Advance(/*all_are_well=*/false));
  }
  return absl::OkStatus();
}

// To the next stage, which waits for this one.
absl::Status CheckpointSaving::Advance(bool all_are_well) {
  if (stage_ == Stage::kFiles) {
    const absl::Status mine = files_->Wait().status();
    if (!all_are_well) RETURN_IF_ERROR(Agree(mine));
    return StartCommit();
  }
  const absl::Status mine = commit_ != nullptr ? commit_->Wait().status() : absl::OkStatus();
  if (!all_are_well) RETURN_IF_ERROR(Agree(mine));
  if (commit_ != nullptr) Tell(*commit_->Wait());
  Clear();
  return absl::OkStatus();
}

// A rank's failure is every rank's, and ends the checkpoint: none writes any more.
absl::Status CheckpointSaving::Agree(const absl::Status& mine) {
  const absl::Status all = context_.Agree(mine, "checkpoint");
  if (!all.ok()) Clear();
  return all;
}

absl::Status CheckpointSaving::StartCommit() {
  std::vector<std::string> parts;
  RETURN_IF_ERROR(context_.communicator.GatherToRoot(FormatManifest(*files_->Wait()), &parts, "checkpoint"));
  stage_ = Stage::kCommit;
  if (context_.is_root())
    commit_ = std::make_unique<BackgroundWork<Committed>>(
        [this, parts = std::move(parts)](const std::atomic<bool>&) { return Commit(parts); });
  return absl::OkStatus();
}

// On a thread of its own.
absl::StatusOr<CheckpointSaving::Committed> CheckpointSaving::Commit(const std::vector<std::string>& parts) const {
  const int64_t epoch = context_.assignment.epoch();
  const v1::CheckpointPolicy& policy = context_.recipe().checkpoint();
  ASSIGN_OR_RETURN(const CheckpointManifest manifest, MergeManifests(parts));
  Committed committed;
  ASSIGN_OR_RETURN(committed.checkpoint, CommitCheckpoint(root_, epoch, manifest));
  committed.removed = RemoveCheckpoints(
      RemovableCheckpoints(root_, {.latest = policy.keep_latest(), .best = policy.keep_best()}, epoch));
  return committed;
}

void CheckpointSaving::Tell(const Committed& committed) {
  v1::Checkpoint checkpoint = committed.checkpoint;
  checkpoint.set_path(context_.PathFromWorkFolder(checkpoint.path()));
  context_.observer->OnCheckpoint(checkpoint);
  if (!committed.removed.ok())
    context_.reporter.Log("warn", fmt::format("old checkpoints stay: {}", std::string(committed.removed.message())));
}

absl::Status CheckpointSaving::GiveUp() {
  if (stage_ == Stage::kIdle) return absl::OkStatus();
  files_.reset();
  RETURN_IF_ERROR(context_.Agree(absl::OkStatus(), "end of a checkpoint that is given up"));
  if (commit_ != nullptr && commit_->Wait().ok()) Tell(*commit_->Wait());
  Clear();
  return absl::OkStatus();
}

// Where it stands by now, there is nothing to remove.
void CheckpointSaving::Clear() {
  if (stage_ == Stage::kIdle) return;
  files_.reset();
  commit_.reset();
  stage_ = Stage::kIdle;
  if (context_.is_root())
    RemoveUnfinishedCheckpoint(root_, step_, context_.assignment.epoch()).IgnoreError();  // `checkpoint gc` finds it.
}

}  // namespace ridgeline
