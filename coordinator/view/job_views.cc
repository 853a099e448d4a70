// SPDX-License-Identifier: Apache-2.0
#include "coordinator/view/job_views.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "coordinator/control/remaining_time.h"

namespace ridgeline {
namespace {

constexpr int64_t kSumLifeMs = 200;
constexpr size_t kMaxSums = 256;

std::string Phase(const v1::Job& job, const LatestMetrics& latest) {
  if (job.state() != v1::RUNNING) return "";
  const v1::Attempt* live = LiveAttempt(job);
  const bool reported = live != nullptr && latest.epoch == live->epoch();
  if (!reported) return "starting";
  return latest.point.phase().empty() ? "training" : latest.point.phase();
}

}  // namespace

std::string SchemeLabel(const std::string& estimator, const std::string& scheme, const std::string& weight_format,
                        const std::string& activation_format) {
  const auto or_none = [](const std::string& format) { return format.empty() ? std::string("none") : format; };
  if (estimator.empty() || estimator == "none") return "none";
  return fmt::format("{} {} {}/{}", estimator, or_none(scheme), or_none(weight_format), or_none(activation_format));
}

v1::Progress MakeProgress(const v1::Job& job, const LatestMetrics& latest) {
  v1::Progress progress;
  const v1::MetricPoint& point = latest.point;
  progress.set_steps(job.recipe().training().steps());
  progress.set_phase(Phase(job, latest));
  if (latest.epoch == 0) return progress;
  progress.set_step(point.step());
  progress.set_train_loss(point.train_loss());
  if (point.has_validation_loss()) progress.set_validation_loss(point.validation_loss());
  if (point.has_second_loss()) progress.set_second_loss(point.second_loss());
  if (point.has_second_accuracy()) progress.set_second_accuracy(point.second_accuracy());
  if (point.has_distill_divergence()) progress.set_distill_divergence(point.distill_divergence());
  progress.set_tokens_per_second(point.tokens_per_second());
  if (point.has_peak_ratio()) progress.set_peak_ratio(point.peak_ratio());
  if (point.has_device_memory_bytes()) progress.set_device_memory_bytes(point.device_memory_bytes());
  progress.set_tokens(point.tokens());
  progress.set_grad_norm(point.grad_norm());
  progress.set_lr(point.lr());
  *progress.mutable_collectives() = point.collectives();
  if (job.state() == v1::RUNNING) progress.set_eta_seconds(RemainingSeconds(job.recipe().training(), point));
  return progress;
}

void JobViews::Complete(v1::Job* job) const {
  if (job->state() == v1::QUEUED && !IsParent(*job)) {
    *job->mutable_wait() = controller_->WaitReasonOf(job->id());
    const std::string& wait = job->wait().text();
    if (wait.empty()) job->clear_wait();
    if (!wait.empty()) job->set_reason(job->attempts().empty() ? wait : fmt::format("{}; {}", job->reason(), wait));
  }
  *job->mutable_progress() = IsParent(*job) ? ParentProgress(*job) : OwnProgress(*job);
}

v1::Progress JobViews::OwnProgress(const v1::Job& job) const {
  if (job.attempts().empty()) return MakeProgress(job, LatestMetrics());
  const absl::StatusOr<LatestMetrics> latest = store_->Latest(job.id());
  if (latest.ok()) return MakeProgress(job, *latest);
  spdlog::warn("{}: no progress: {}", job.id(), std::string(latest.status().message()));
  return MakeProgress(job, LatestMetrics());
}

struct JobViews::ChildView {
  std::string id;  // Empty: it was never started.
  bool is_running = false;
};

// A sweep stands where its children stand together. However many ask, they are counted once for each change.
v1::Progress JobViews::ParentProgress(const v1::Job& parent) const {
  const int64_t sequence = journal_->Read([](const CoordinatorState& state) { return state.sequence(); });
  const int64_t now_ms = SystemClock().MonotonicMs();
  absl::MutexLock lock(&mutex_);
  if (sums_.size() > kMaxSums) sums_.clear();
  Sum& sum = sums_[parent.id()];
  if (sum.sequence != sequence || (sum.has_running && now_ms - sum.time_ms >= kSumLifeMs)) {
    sum.time_ms = now_ms;
    AddUp(parent, &sum);
  }
  v1::Progress progress = sum.progress;
  if (parent.state() == v1::RUNNING) progress.set_phase("training");
  return progress;
}

std::vector<JobViews::ChildView> JobViews::ChildrenOf(const v1::Job& parent, Sum* sum) const {
  return journal_->Read([&](const CoordinatorState& state) {
    sum->sequence = state.sequence();
    const bool steps_are_known = !sum->steps.empty();
    std::vector<ChildView> children;
    children.reserve(static_cast<size_t>(parent.child_ids_size()));
    for (const std::string& child_id : parent.child_ids()) {
      const v1::Job& child = *state.FindById(child_id);
      if (!steps_are_known) sum->steps.push_back(state.RecipeOf(child, kProgressSections).training().steps());
      children.push_back({child.attempts().empty() ? "" : child_id, child.state() == v1::RUNNING});
    }
    return children;
  });
}

void JobViews::AddUp(const v1::Job& parent, Sum* sum) const {
  const std::vector<ChildView> children = ChildrenOf(parent, sum);
  sum->progress.Clear();
  sum->has_running = false;
  v1::Progress& progress = sum->progress;
  for (const int64_t steps : sum->steps) progress.set_steps(progress.steps() + steps);
  for (const ChildView& child : children) {
    if (child.id.empty()) continue;
    sum->has_running |= child.is_running;
    const absl::StatusOr<LatestMetrics> latest = store_->Latest(child.id);
    if (!latest.ok() || latest->epoch == 0) continue;
    const v1::MetricPoint& point = latest->point;
    progress.set_step(progress.step() + point.step());
    progress.set_tokens(progress.tokens() + point.tokens());
    if (child.is_running) progress.set_tokens_per_second(progress.tokens_per_second() + point.tokens_per_second());
  }
}

}  // namespace ridgeline
