// SPDX-License-Identifier: Apache-2.0
#include "coordinator/rpc/stream_hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "coordinator/rpc/grpc_status.h"
#include "coordinator/view/log_follower.h"

namespace ridgeline {
namespace {

// Rounds are this far apart, and take at most a fifth of a core, however many events there are.
constexpr std::chrono::milliseconds kShortestRound(50);
constexpr int kRestPerWork = 4;
constexpr int kLookOfQuietLogs = 5;  // Ticks between looks for lines that have not come for as long.

absl::Status TooMany(size_t max_streams) {
  return absl::ResourceExhaustedError(fmt::format(
      "{} streams of jobs and logs are open, as many as this coordinator serves; try again later", max_streams));
}
absl::Status Stopping() { return absl::UnavailableError("the coordinator is stopping; try again in a moment"); }

// Sources have the next message, or none yet; is_over() says that none will come.
class WatchSource {
 public:
  using Message = v1::Job;

  WatchSource(WatchedJobs* watched, CoordinatorMetrics* metrics, std::string job_id)
      : watched_(watched), metrics_(metrics), job_id_(std::move(job_id)) {}
  WatchSource(WatchSource&& other) noexcept
      : watched_(std::exchange(other.watched_, nullptr)), metrics_(other.metrics_), job_id_(std::move(other.job_id_)) {}
  ~WatchSource() {
    if (watched_ != nullptr) watched_->Remove(job_id_);
  }

  absl::StatusOr<std::shared_ptr<const v1::Job>> Next() {
    const WatchedJobs::View view = watched_->Newest(job_id_);
    if (view.version == sent_) return nullptr;
    const int64_t passed_over = sent_ == 0 ? 0 : view.version - sent_ - 1;
    if (passed_over > 0) metrics_->OnStreamDropped("WatchJob", passed_over);
    sent_ = view.version;
    is_over_ = IsTerminal(view.job->state());
    return view.job;
  }
  bool is_over() const { return is_over_; }

 private:
  WatchedJobs* watched_;
  CoordinatorMetrics* metrics_;
  std::string job_id_;
  int64_t sent_ = 0;  // Version.
  bool is_over_ = false;
};

class LogSource {
 public:
  using Message = v1::LogLine;

  explicit LogSource(LogFollower follower) : follower_(std::move(follower)) {}

  absl::StatusOr<std::shared_ptr<const v1::LogLine>> Next() {
    // Where nothing comes, not each tick asks the disk.
    if (empty_looks_ >= kLookOfQuietLogs && ++empty_looks_ % kLookOfQuietLogs != 0) return nullptr;
    ASSIGN_OR_RETURN(std::optional<v1::LogLine> line, follower_.Next());
    empty_looks_ = line.has_value() ? 0 : empty_looks_ + (empty_looks_ < kLookOfQuietLogs ? 1 : 0);
    return line.has_value() ? std::make_shared<const v1::LogLine>(*std::move(line)) : nullptr;
  }
  bool is_over() const { return follower_.is_over(); }

 private:
  LogFollower follower_;
  int empty_looks_ = 0;
};

// One call. gRPC's threads and the hub's come here; gRPC runs no reaction within a call to it, so the lock may be held.
template <typename Source>
class OutStream final : public grpc::ServerWriteReactor<typename Source::Message>, public HubStream {
 public:
  using Message = typename Source::Message;
  using grpc::ServerWriteReactor<Message>::Finish;
  using OnDoneCallback = std::function<void(absl::StatusCode)>;

  OutStream(Principal caller, absl::StatusOr<Source> source, OnDoneCallback on_done)
      : caller_(std::move(caller)), source_(std::move(source)), on_done_(std::move(on_done)) {}

  void Pump() override {
    absl::MutexLock lock(&mutex_);
    SendNext();
  }
  void End(const absl::Status& status) override {
    absl::MutexLock lock(&mutex_);
    EndLocked(status);
  }
  bool has_ended() const override {
    absl::MutexLock lock(&mutex_);
    return has_ended_;
  }
  const Principal& caller() const override { return caller_; }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    on_its_way_ = nullptr;
    if (has_ended_) return Finish(ToGrpcStatus(end_));
    if (!ok) return EndLocked(absl::CancelledError("the client went away"));
    SendNext();
  }
  void OnCancel() override {
    absl::MutexLock lock(&mutex_);
    EndLocked(absl::CancelledError("the client went away"));
  }
  void OnDone() override {
    absl::StatusCode code;
    OnDoneCallback on_done;
    {
      absl::MutexLock lock(&mutex_);
      code = end_.code();
      on_done = std::move(on_done_);
    }
    on_done(code);  // Destroys this.
  }

 private:
  void SendNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (has_ended_ || on_its_way_ != nullptr) return;
    if (!source_.ok()) return EndLocked(source_.status());
    absl::StatusOr<std::shared_ptr<const Message>> next = std::shared_ptr<const Message>();
    if (!source_->is_over()) next = source_->Next();
    if (!next.ok()) return EndLocked(next.status());
    on_its_way_ = *std::move(next);
    if (on_its_way_ != nullptr) {
      this->StartWrite(on_its_way_.get());
    } else if (source_->is_over()) {
      EndLocked(absl::OkStatus());
    }
  }
  void EndLocked(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (has_ended_) return;
    has_ended_ = true;
    end_ = status;
    if (on_its_way_ == nullptr) Finish(ToGrpcStatus(status));  // Else behind what is on its way.
  }

  const Principal caller_;
  mutable absl::Mutex mutex_;
  absl::StatusOr<Source> source_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Message> on_its_way_ ABSL_GUARDED_BY(mutex_);
  bool has_ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
  OnDoneCallback on_done_;
};

}  // namespace

StreamHub::StreamHub(const JobReader* reader, const AccessControl* access, Journal* journal, MetricStore* store,
                     CoordinatorMetrics* metrics, size_t max_streams)
    : reader_(reader),
      access_(access),
      journal_(journal),
      store_(store),
      metrics_(metrics),
      max_streams_(max_streams),
      watched_(reader, journal),
      thread_([this] { Run(); }) {}

StreamHub::~StreamHub() {
  Stop();
  thread_.join();
}

template <typename Source>
grpc::ServerWriteReactor<typename Source::Message>* StreamHub::Start(const char* method, const Principal& caller,
                                                                     absl::StatusOr<Source> source) {
  auto slot = std::make_shared<std::shared_ptr<HubStream>>();
  const auto on_done = [this, method, slot](absl::StatusCode code) {
    metrics_->OnStreamClosed(method);
    metrics_->ObserveRpc(method, code, std::nullopt);
    const std::shared_ptr<HubStream> last = std::move(*slot);
    absl::MutexLock lock(&mutex_);
    streams_.erase(last);
  };
  auto stream = std::make_shared<OutStream<Source>>(caller, std::move(source), on_done);
  *slot = stream;
  metrics_->OnStreamOpened(method);
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    if (streams_.size() >= max_streams_) refused = TooMany(max_streams_);
    if (stopping_) refused = Stopping();
    streams_.insert(stream);
  }
  refused.ok() ? stream->Pump() : stream->End(refused);
  return stream.get();
}

grpc::ServerWriteReactor<v1::Job>* StreamHub::Watch(const v1::WatchJobRequest& request,
                                                    absl::StatusOr<Principal> caller) {
  if (!caller.ok()) return Start<WatchSource>("WatchJob", Principal(), caller.status());
  absl::StatusOr<WatchedJobs::View> view = watched_.Add(request.job());
  if (!view.ok()) return Start<WatchSource>("WatchJob", *caller, view.status());
  return Start<WatchSource>("WatchJob", *caller, WatchSource(&watched_, metrics_, view->job->id()));
}

grpc::ServerWriteReactor<v1::LogLine>* StreamHub::Logs(const v1::StreamLogsRequest& request,
                                                       absl::StatusOr<Principal> caller) {
  if (!caller.ok()) return Start<LogSource>("StreamLogs", Principal(), caller.status());
  absl::StatusOr<LogFollower> follower = LogFollower::Start(reader_, store_, request);
  if (!follower.ok()) return Start<LogSource>("StreamLogs", *caller, follower.status());
  return Start<LogSource>("StreamLogs", *caller, LogSource(*std::move(follower)));
}

void StreamHub::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (const std::shared_ptr<HubStream>& stream : Streams()) stream->End(Stopping());
  journal_->changes().Notify();
}

void StreamHub::Run() {
  int64_t seen = 0;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
    }
    const auto start = std::chrono::steady_clock::now();
    EndUnwelcome();
    watched_.Refresh();
    for (const std::shared_ptr<HubStream>& stream : Streams()) stream->Pump();
    const auto work = std::chrono::steady_clock::now() - start;
    std::this_thread::sleep_for(std::max<std::chrono::nanoseconds>(kShortestRound, kRestPerWork * work));
    seen = journal_->changes().Wait(seen, kStreamTickMs);
  }
}

// A token may have been revoked, or be over.
void StreamHub::EndUnwelcome() {
  for (const std::shared_ptr<HubStream>& stream : Streams()) {
    if (stream->has_ended() || !stream->caller().has_token()) continue;
    if (const absl::Status status = access_->StillGood(stream->caller()); !status.ok()) stream->End(status);
  }
}

std::vector<std::shared_ptr<HubStream>> StreamHub::Streams() const {
  absl::MutexLock lock(&mutex_);
  return {streams_.begin(), streams_.end()};
}

}  // namespace ridgeline
