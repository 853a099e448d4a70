// SPDX-License-Identifier: Apache-2.0
#include "coordinator/telemetry/state_collector.h"

#include <initializer_list>
#include <map>
#include <string>
#include <utility>

#include "coordinator/telemetry/metrics.h"
#include "coordinator/view/job_views.h"
#include "frontier/pareto.h"
#include "recipes/model_label.h"
#include "recipes/tensor_quant.h"

namespace ridgeline {
namespace {

using Labels = std::initializer_list<std::pair<const char*, std::string>>;

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string SchemeOf(const v1::Recipe& recipe) {
  const v1::Quant& quant = recipe.quant();
  return SchemeLabel(EstimatorLabel(quant), quant.weight().scheme(), quant.weight().format(),
                     quant.activation().format());
}

std::string SchemeOf(const v1::FrontierPoint& point) {
  return SchemeLabel(point.estimator(), point.weight_scheme(), point.weight_format(), point.activation_format());
}

double NumberOf(const v1::MetricPoint& point, const google::protobuf::FieldDescriptor* field) {
  const google::protobuf::Reflection& reflection = *point.GetReflection();
  if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_INT64)
    return static_cast<double>(reflection.GetInt64(point, field));
  return reflection.GetDouble(point, field);
}

}  // namespace

// Families by name, in the making.
class StateCollector::Families {
 public:
  void Gauge(const char* name, const char* help, Labels labels, double value) {
    Add(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
  }
  void Counter(const char* name, const char* help, Labels labels, double value) {
    Add(name, help, prometheus::MetricType::Counter, labels).counter.value = value;
  }
  std::vector<prometheus::MetricFamily> Take() {
    std::vector<prometheus::MetricFamily> families;
    for (auto& [name, family] : by_name_) families.push_back(std::move(family));
    return families;
  }

 private:
  prometheus::ClientMetric& Add(const char* name, const char* help, prometheus::MetricType type, Labels labels) {
    prometheus::MetricFamily& family = by_name_[name];
    family.name = name;
    family.help = help;
    family.type = type;
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    for (const auto& [key, value] : labels) metric.label.push_back({key, value});
    return metric;
  }

  std::map<std::string, prometheus::MetricFamily> by_name_;
};

// The schema says which fields are series, and what they are called.
void StateCollector::CollectPoint(const std::string& job_id, const v1::MetricPoint& point, Families& families) {
  for (int i = 0; i < v1::MetricPoint::descriptor()->field_count(); ++i) {
    const auto* field = v1::MetricPoint::descriptor()->field(i);
    if (!field->options().HasExtension(v1::metric)) continue;
    if (field->has_presence() && !point.GetReflection()->HasField(point, field)) continue;
    const v1::MetricDoc& doc = field->options().GetExtension(v1::metric);
    const double value = NumberOf(point, field);
    const char* const name = doc.name().c_str();
    const char* const help = doc.help().c_str();
    if (doc.is_counter()) {
      families.Counter(name, help, {{"job_id", job_id}}, value);
    } else if (doc.split().empty()) {
      families.Gauge(name, help, {{"job_id", job_id}}, value);
    } else {
      families.Gauge(name, help, {{"job_id", job_id}, {"split", doc.split()}}, value);
    }
  }
}

std::vector<prometheus::MetricFamily> StateCollector::Collect() const {
  Families families;
  families.Gauge("ridgeline_journal_size_bytes", "Size of the journal's files", {},
                 static_cast<double>(journal_->SizeBytes()));
  families.Gauge("ridgeline_metric_store_bytes", "Size of the files that hold curves and logs", {},
                 static_cast<double>(store_->SizeBytes()));
  CollectQueue(families);
  CollectWorkers(families);
  CollectJobs(families);
  CollectFrontier(families);
  return families.Take();
}

void StateCollector::CollectQueue(Families& families) const {
  using ByState = std::map<v1::JobState, int>;
  const auto counts = journal_->Read([](const CoordinatorState& state) {
    std::map<std::string, ByState> by_queue;
    for (const auto& [name, queue] : state.queues())
      by_queue[name] = {{v1::QUEUED, 0},    {v1::RUNNING, 0}, {v1::PAUSED, 0},
                        {v1::SUCCEEDED, 0}, {v1::FAILED, 0},  {v1::CANCELLED, 0}};
    for (const auto& [number, job] : state.jobs()) {
      if (!IsParent(job)) ++by_queue[QueueOf(job)][job.state()];
    }
    return by_queue;
  });
  for (const auto& [queue, by_state] : counts) {
    for (const auto& [state, count] : by_state) {
      families.Gauge("ridgeline_jobs", "Jobs by state, sweep parents not counted",
                     {{"queue", queue}, {"state", Lower(v1::JobState_Name(state))}}, count);
    }
  }
}

void StateCollector::CollectWorkers(Families& families) const {
  std::map<std::string, int> ranks{{"idle", 0}, {"busy", 0}, {"unreachable", 0}};
  for (const Fleet::GroupView& view : fleet_->Groups()) {
    ranks[Lower(v1::GroupState_Name(view.group.state()))] += view.group.ranks();
    families.Gauge("ridgeline_worker_last_heartbeat_timestamp_seconds", "When the worker group was last heard of",
                   {{"worker", view.group.id()}}, view.group.last_heartbeat_unix_ms() / 1e3);
    families.Gauge("ridgeline_device_memory_used_bytes",
                   "Memory in use now of what the group computes on, GPUs or hosts, summed over its ranks",
                   {{"worker", view.group.id()}}, static_cast<double>(view.memory_used_bytes));
  }
  for (const auto& [state, count] : ranks) {
    families.Gauge("ridgeline_ranks", "Ranks of worker groups by state", {{"pool", kPoolLabel}, {"state", state}},
                   count);
  }
}

std::vector<v1::Job> StateCollector::VisibleJobs() const {
  const int64_t oldest_end_ms = clock_->WallUnixMs() - series_grace_ms_;
  return journal_->Read([&](const CoordinatorState& state) {
    std::vector<v1::Job> visible;
    for (const auto& [number, job] : state.jobs()) {
      if (IsParent(job) || job.attempts().empty()) continue;
      if (!IsTerminal(job.state()) || job.end_unix_ms() > oldest_end_ms)
        visible.push_back(state.CopyOf(job, {"model", "quant", "training"}));
    }
    return visible;
  });
}

void StateCollector::CollectJobs(Families& families) const {
  for (const v1::Job& job : VisibleJobs()) {
    const std::string& id = job.id();
    families.Gauge("ridgeline_job_info", "1, with what the job is as labels",
                   {{"job_id", id},
                    {"name", job.name()},
                    {"model", ModelLabel(job.recipe())},
                    {"scheme", SchemeOf(job.recipe())},
                    {"queue", QueueOf(job)}},
                   1);
    if (job.has_last_checkpoint()) {
      families.Gauge("ridgeline_checkpoint_last_success_timestamp_seconds", "When the newest checkpoint was committed",
                     {{"job_id", id}}, job.last_checkpoint().time_unix_ms() / 1e3);
    }
    const absl::StatusOr<LatestMetrics> latest = store_->Latest(id);
    if (!latest.ok() || latest->epoch == 0) continue;
    const v1::MetricPoint& point = latest->point;
    const v1::Progress progress = MakeProgress(job, *latest);
    CollectPoint(id, point, families);
    families.Gauge("ridgeline_train_progress_ratio", "Steps done of all steps, 0 to 1", {{"job_id", id}},
                   progress.steps() > 0 ? static_cast<double>(point.step()) / progress.steps() : 0);
    if (job.state() == v1::RUNNING) {
      families.Gauge("ridgeline_train_eta_timestamp_seconds", "When the job is expected to end", {{"job_id", id}},
                     point.time_unix_ms() / 1e3 + progress.eta_seconds());
    }
    families.Counter("ridgeline_train_nonfinite_steps_total",
                     "Steps skipped for a loss or gradient that was not finite", {{"job_id", id}},
                     static_cast<double>(latest->nonfinite_steps));
  }
}

void StateCollector::CollectFrontier(Families& families) const {
  std::vector<v1::FrontierPoint> points = journal_->Read([](const CoordinatorState& state) { return state.points(); });
  MarkPareto(&points);
  std::map<std::pair<std::string, std::string>, int> count;
  for (const v1::FrontierPoint& point : points) {
    ++count[{point.model(), point.dataset()}];
    if (!point.pareto()) continue;
    const std::string scheme = SchemeOf(point);
    const Labels labels{{"point_id", point.point_id()}, {"model", point.model()}, {"scheme", scheme}};
    families.Gauge("ridgeline_frontier_accuracy_ratio", "Held-out next-token accuracy of a Pareto point", labels,
                   point.accuracy());
    families.Gauge("ridgeline_frontier_storage_bytes", "Stored bytes of a Pareto point", labels, point.storage_bytes());
  }
  for (const auto& [key, number] : count) {
    families.Gauge("ridgeline_frontier_points", "Frontier points, Pareto or not",
                   {{"model", key.first}, {"benchmark", key.second}}, number);
  }
}

}  // namespace ridgeline
