// SPDX-License-Identifier: Apache-2.0
#include "worker/rpc/coordinator_link.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "common/memory.h"
#include "common/utf8.h"
#include "spdlog/spdlog.h"
#include "worker/rpc/hand_in.h"

namespace ridgeline {
namespace {

using std::chrono::milliseconds;

constexpr auto kConnectWait = milliseconds(500);
constexpr auto kGoodbyeWait = milliseconds(1'000);
constexpr auto kDiskWait = milliseconds(1'000);
constexpr auto kHandInWait = std::chrono::seconds(60);  // A coordinator that says nothing is tried again.

}  // namespace

CoordinatorLink::CoordinatorLink(const std::string& address, std::shared_ptr<grpc::Channel> channel,
                                 const v1::Hello& hello, const LinkOptions& options)
    : address_(address),
      hello_(hello),
      options_(options),
      channel_(std::move(channel)),
      stub_(v1::WorkerGateway::NewStub(channel_)),
      keeper_(options.spool_path),
      thread_([this] { ConnectForever(); }) {}

// Says goodbye, so that the coordinator need not wait for a lease; cuts the stream if it does not answer.
CoordinatorLink::~CoordinatorLink() {
  {
    std::unique_lock lock(mutex_);
    closing_ = true;
    changed_.notify_all();
    if (!changed_.wait_for(lock, kGoodbyeWait, [this] { return context_ == nullptr; })) context_->TryCancel();
  }
  thread_.join();
}

std::optional<v1::Assign> CoordinatorLink::NextAssignment(int64_t wait_ms) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, milliseconds(wait_ms), [this] { return waiting_assignment_.has_value(); });
  return std::exchange(waiting_assignment_, std::nullopt);
}

void CoordinatorLink::SendMetrics(const v1::MetricPoint& point) {
  std::lock_guard lock(mutex_);
  if (job_id_.empty()) return;
  if (point.has_train_loss() || point.has_validation_loss()) {
    if (!newest_points_.empty() && newest_points_.front().step() != point.step()) newest_points_.clear();
    newest_points_.push_back(point);
  }
  *metrics_.add_points() = point;
  if (metrics_.points_size() >= options_.max_batch) MoveBatchesToSpool();
}

void CoordinatorLink::SendLog(const v1::LogLine& line) {
  std::lock_guard lock(mutex_);
  if (job_id_.empty()) return;
  v1::LogLine* added = logs_.add_lines();
  *added = line;
  added->set_text(ToValidUtf8(line.text()));
  if (logs_.lines_size() >= options_.max_batch) MoveBatchesToSpool();
}

void CoordinatorLink::SendCheckpoint(const v1::CheckpointCommitted& checkpoint) {
  std::lock_guard lock(mutex_);
  if (job_id_.empty()) return;
  v1::WorkerMessage message;
  *message.mutable_checkpoint() = checkpoint;
  message.mutable_checkpoint()->set_job_id(job_id_);
  message.mutable_checkpoint()->set_epoch(epoch_);
  AddToSpool(std::move(message), /*may_drop=*/false);
  changed_.notify_all();
}

void CoordinatorLink::SendResult(v1::AttemptResult result) {
  std::lock_guard lock(mutex_);
  if (job_id_.empty()) return;
  MoveBatchesToSpool();
  if (result.outcome() == v1::REACHED) KeepNewestPoints();
  result.set_job_id(job_id_);
  result.set_epoch(epoch_);
  result.set_detail(ToValidUtf8(result.detail()));
  v1::WorkerMessage message;
  *message.mutable_result() = std::move(result);
  AddToSpool(std::move(message), /*may_drop=*/false);
  job_id_.clear();
  epoch_ = 0;
  changed_.notify_all();
}

void CoordinatorLink::SetCollectives(google::protobuf::RepeatedPtrField<v1::CollectiveCount> counts) {
  std::lock_guard lock(mutex_);
  collectives_.Swap(&counts);
}

bool CoordinatorLink::has_attempt() {
  std::lock_guard lock(mutex_);
  return !job_id_.empty();
}

std::string CoordinatorLink::preempt_reason() {
  std::lock_guard lock(mutex_);
  return preempt_reason_;
}

bool CoordinatorLink::Flush(int64_t wait_ms) {
  std::unique_lock lock(mutex_);
  MoveBatchesToSpool();
  changed_.notify_all();
  if (changed_.wait_for(lock, milliseconds(wait_ms), [this] { return spool_.empty(); })) return true;
  lock.unlock();
  keeper_.WaitUntilKept(kDiskWait);
  return false;
}

void CoordinatorLink::MoveBatchesToSpool() {
  if (metrics_.points_size() > 0) {
    v1::WorkerMessage message;
    metrics_.set_job_id(job_id_);
    metrics_.set_epoch(epoch_);
    message.mutable_metrics()->Swap(&metrics_);
    AddToSpool(std::move(message), /*may_drop=*/true);
  }
  if (logs_.lines_size() > 0) {
    v1::WorkerMessage message;
    logs_.set_job_id(job_id_);
    logs_.set_epoch(epoch_);
    message.mutable_logs()->Swap(&logs_);
    AddToSpool(std::move(message), /*may_drop=*/true);
  }
}

// They may have gone into batches that are dropped, or lost with the group; twice they count once.
void CoordinatorLink::KeepNewestPoints() {
  v1::WorkerMessage message;
  message.mutable_metrics()->set_job_id(job_id_);
  message.mutable_metrics()->set_epoch(epoch_);
  for (const v1::MetricPoint& point : newest_points_) *message.mutable_metrics()->add_points() = point;
  if (!newest_points_.empty()) AddToSpool(std::move(message), /*may_drop=*/false);
}

void CoordinatorLink::AddToSpool(v1::WorkerMessage message, bool may_drop) {
  if (spool_.size() >= options_.max_records && may_drop) {
    auto oldest = std::find_if(spool_.begin(), spool_.end(), [](const auto& entry) { return entry.second.may_drop; });
    if (oldest != spool_.end()) spool_.erase(oldest);
  }
  message.set_sequence(next_sequence_);
  spool_[next_sequence_++] = {std::move(message), may_drop, false};
  if (!may_drop) KeepOnDisk();
}

void CoordinatorLink::KeepOnDisk() {
  if (options_.spool_path.empty()) return;
  Spool spool{.group_id = hello_.group_id(), .incarnation = hello_.incarnation()};
  for (const auto& [sequence, record] : spool_)
    if (!record.may_drop) spool.records.push_back(record.message);
  keeper_.Keep(spool.records.empty() ? "" : FormatSpool(spool));
}

void CoordinatorLink::ConnectForever() {
  milliseconds backoff = options_.first_backoff;
  while (!closing_) {
    const Clock::time_point start = Clock::now();
    if (HandInEarlier()) RunOneConnection();
    if (Clock::now() - start > options_.longest_backoff) backoff = options_.first_backoff;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, backoff, [this] { return closing_.load(); });
    backoff = std::min(backoff * 2, options_.longest_backoff);
  }
}

Spool CoordinatorLink::ReadEarlier() const {
  if (options_.spool_path.empty()) return {};
  const absl::StatusOr<std::optional<Spool>> earlier = ReadSpool(options_.spool_path, hello_.group_id());
  if (earlier.ok()) return earlier->value_or(Spool());
  spdlog::error("what an earlier start of this group has left cannot be handed in: {}",
                std::string(earlier.status().message()));
  if (absl::IsDataLoss(earlier.status()))
    std::rename(options_.spool_path.c_str(), (options_.spool_path + ".damaged").c_str());
  return {};
}

bool CoordinatorLink::HandInEarlier() {
  if (!earlier_) earlier_ = ReadEarlier();
  if (earlier_->records.empty()) return true;
  channel_->WaitForConnected(std::chrono::system_clock::now() + kConnectWait);
  if (closing_) return false;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kHandInWait);
  SetContext(&context);
  const absl::Status status = HandIn(*stub_, &context, *earlier_);
  SetContext(nullptr);
  if (absl::IsUnavailable(status)) {
    if (!closing_) ReportLost(std::string(status.message()));
    return false;
  }
  if (status.ok())
    spdlog::info("handed in {} records that an earlier start of this group had left", earlier_->records.size());
  else
    spdlog::warn("the coordinator takes nothing more from an earlier start of this group: {}",
                 std::string(status.message()));
  earlier_->records.clear();
  keeper_.Keep("");
  return true;
}

void CoordinatorLink::SetContext(grpc::ClientContext* context) {
  std::lock_guard lock(mutex_);
  context_ = context;
  changed_.notify_all();
}

void CoordinatorLink::RunOneConnection() {
  // Nobody else drives the channel between two streams: without this it would notice a restarted coordinator late.
  channel_->WaitForConnected(std::chrono::system_clock::now() + kConnectWait);
  if (closing_) return;
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = stub_->Attach(&context);
  SetContext(&context);
  if (Introduce(*stream)) {
    std::atomic<bool> broken{false};
    std::thread writer([&] { WriteUntilBroken(*stream, broken); });
    v1::CoordinatorMessage message;
    while (stream->Read(&message)) Handle(message);
    broken = true;
    {
      std::lock_guard lock(mutex_);  // The writer is about to wait, or waits.
      changed_.notify_all();
    }
    context.TryCancel();  // A writer stuck in Write returns.
    writer.join();
  }
  const grpc::Status status = stream->Finish();
  SetContext(nullptr);
  if (!closing_) ReportLost(status.error_message());
}

bool CoordinatorLink::Introduce(Stream& stream) {
  v1::WorkerMessage first;
  {
    std::lock_guard lock(mutex_);
    *first.mutable_hello() = HelloWithClaim();
  }
  v1::CoordinatorMessage answer;
  return stream.Write(first) && stream.Read(&answer) && Welcomed(answer);
}

bool CoordinatorLink::Welcomed(const v1::CoordinatorMessage& answer) {
  std::lock_guard lock(mutex_);
  if (answer.has_refused()) {
    NoteRefused(answer.refused().reason());
    return false;
  }
  if (answer.has_welcome() && answer.welcome().heartbeat_interval_ms() > 0)
    heartbeat_interval_ = milliseconds(answer.welcome().heartbeat_interval_ms());
  for (auto& [sequence, record] : spool_) record.sent = false;
  was_connected_ = true;
  has_complained_ = was_refused_ = false;
  spdlog::info("connected to the coordinator at {}", address_);
  return true;
}

// Said once, also where the stream's end was said before.
void CoordinatorLink::NoteRefused(const std::string& reason) {
  if (!was_refused_) spdlog::error("the coordinator at {} refused this group: {}", address_, reason);
  has_complained_ = was_refused_ = true;
  cancelled_ = true;  // Whatever still runs here, somebody else has taken over.
}

// Claims the attempt that still runs here, or one that has ended but whose result nobody has acknowledged yet.
v1::Hello CoordinatorLink::HelloWithClaim() const {
  v1::Hello hello = hello_;
  hello.set_job_id(job_id_);
  hello.set_epoch(epoch_);
  if (!job_id_.empty()) return hello;
  for (const auto& [sequence, record] : spool_) {
    if (!record.message.has_result()) continue;
    hello.set_job_id(record.message.result().job_id());
    hello.set_epoch(record.message.result().epoch());
  }
  return hello;
}

// Sends what is spooled in order, and a heartbeat whenever the interval has passed.
void CoordinatorLink::WriteUntilBroken(Stream& stream, const std::atomic<bool>& broken) {
  Clock::time_point next_heartbeat = Clock::now(), next_batch = next_heartbeat;
  while (!broken && !closing_) {
    const std::optional<v1::WorkerMessage> message = NextMessage(&next_heartbeat, &next_batch);
    if (message && !stream.Write(*message)) return;
  }
  if (closing_) stream.WritesDone();
}

std::optional<v1::WorkerMessage> CoordinatorLink::NextMessage(Clock::time_point* next_heartbeat,
                                                              Clock::time_point* next_batch) {
  std::unique_lock lock(mutex_);
  const Clock::time_point now = Clock::now();
  if (now >= *next_batch) {
    MoveBatchesToSpool();
    *next_batch = now + options_.batch_interval;
  }
  if (now >= *next_heartbeat) {
    *next_heartbeat = now + heartbeat_interval_;
    v1::WorkerMessage message;
    message.mutable_heartbeat()->set_memory_used_bytes(ResidentBytes() + others_memory_bytes_);
    *message.mutable_heartbeat()->mutable_collectives() = collectives_;
    lock.unlock();  // The driver may take its time.
    const int64_t device_bytes = options_.device_memory_bytes ? options_.device_memory_bytes() : 0;
    message.mutable_heartbeat()->set_device_memory_used_bytes(device_bytes + others_device_bytes_);
    return message;
  }
  auto unsent = std::find_if(spool_.begin(), spool_.end(), [](const auto& entry) { return !entry.second.sent; });
  if (unsent != spool_.end()) {
    unsent->second.sent = true;
    return unsent->second.message;
  }
  changed_.wait_until(lock, std::min(*next_heartbeat, *next_batch));
  return std::nullopt;
}

void CoordinatorLink::Handle(const v1::CoordinatorMessage& message) {
  std::lock_guard lock(mutex_);
  switch (message.kind_case()) {
    case v1::CoordinatorMessage::kAck:
      Acknowledge(message.ack().sequence());
      break;
    case v1::CoordinatorMessage::kAssign:
      Begin(message.assign());
      break;
    case v1::CoordinatorMessage::kCancel:
      if (!IsCurrent(message.cancel().job_id(), message.cancel().epoch())) break;
      spdlog::info("{} is cancelled: {}", job_id_, message.cancel().reason());
      cancelled_ = true;
      break;
    case v1::CoordinatorMessage::kPreempt:
      if (!IsCurrent(message.preempt().job_id(), message.preempt().epoch())) break;
      spdlog::info("{} is asked to commit a checkpoint and end: {}", job_id_, message.preempt().reason());
      preempt_reason_ = ToValidUtf8(message.preempt().reason());
      preempted_ = true;
      break;
    default:
      break;
  }
  changed_.notify_all();
}

void CoordinatorLink::Acknowledge(int64_t sequence) {
  const auto found = spool_.find(sequence);
  if (found == spool_.end()) return;
  const bool was_on_disk = !found->second.may_drop;
  spool_.erase(found);
  if (was_on_disk) KeepOnDisk();
}

void CoordinatorLink::Begin(const v1::Assign& assign) {
  if (!job_id_.empty()) return;  // Said twice, or while the last attempt is still ending.
  job_id_ = assign.job_id();
  epoch_ = assign.epoch();
  cancelled_ = preempted_ = false;
  preempt_reason_.clear();
  newest_points_.clear();
  waiting_assignment_ = assign;
}

bool CoordinatorLink::IsCurrent(const std::string& job_id, int64_t epoch) const {
  return !job_id_.empty() && job_id == job_id_ && epoch == epoch_;
}

void CoordinatorLink::ReportLost(const std::string& why) {
  std::lock_guard lock(mutex_);
  if (has_complained_) return;
  has_complained_ = true;
  spdlog::warn("{} the coordinator at {} ({}); trying again until it answers", was_connected_ ? "lost" : "cannot reach",
               address_, why.empty() ? "the stream ended" : why);
}

}  // namespace ridgeline
