// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/jobs_of_recipe.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "coordinator/state/recipe_difference.h"
#include "recipes/asha_rungs.h"
#include "recipes/recipe_reader.h"

namespace ridgeline {
namespace {

v1::Job NewJob(const v1::Recipe& recipe) {
  v1::Job job;
  job.set_name(recipe.name());
  job.set_priority(recipe.priority());
  job.set_queue(recipe.queue());
  *job.mutable_labels() = recipe.labels();
  *job.mutable_recipe() = recipe;
  return job;
}

class JobMaker {
 public:
  explicit JobMaker(int64_t max_bytes) : max_bytes_(max_bytes) {}

  absl::StatusOr<v1::JobsSubmitted> Make(const v1::Recipe& recipe) {
    std::vector<int64_t> rungs;
    if (recipe.has_sweep()) {
      v1::Recipe complete = recipe;
      ApplyRecipeDefaults(&complete);
      if (complete.sweep().method() == "asha") rungs = AshaRungs(complete);
      RETURN_IF_ERROR(Add(NewJob(complete)));
    }
    RETURN_IF_ERROR(ForEachSweepChild(recipe, [&](v1::Recipe job_recipe) {
      v1::Job job = NewJob(job_recipe);
      if (recipe.has_sweep()) HoldDifference(submitted_.jobs(0).recipe(), &job);
      if (!rungs.empty()) job.set_stop_at_step(rungs[0]);
      return Add(std::move(job));
    }));
    return std::move(submitted_);
  }

 private:
  absl::Status Add(v1::Job job) {
    bytes_ += static_cast<int64_t>(job.ByteSizeLong());
    *submitted_.add_jobs() = std::move(job);
    if (bytes_ <= max_bytes_) return absl::OkStatus();
    return absl::ResourceExhaustedError(fmt::format(
        "the sweep takes more than {} KiB of the coordinator's memory, the limit of one submit, with {} of its jobs; "
        "split it into several sweeps, or shorten the values that it sweeps over",
        max_bytes_ >> 10, submitted_.jobs_size() - 1));
  }

  const int64_t max_bytes_;
  v1::JobsSubmitted submitted_;
  int64_t bytes_ = 0;
};

}  // namespace

absl::StatusOr<v1::JobsSubmitted> JobsOfRecipe(const v1::Recipe& recipe, int64_t max_bytes) {
  return JobMaker(max_bytes).Make(recipe);
}

}  // namespace ridgeline
