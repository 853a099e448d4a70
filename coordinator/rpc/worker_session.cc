// SPDX-License-Identifier: Apache-2.0
#include "coordinator/rpc/worker_session.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace ridgeline {
namespace {

constexpr size_t kMaxQueuedMessages = 10'000;

}  // namespace

WorkerSession::WorkerSession(grpc::ServerContext* context, WorkerStream* stream)
    : context_(context), stream_(stream), writer_([this] { WriterLoop(); }) {}

WorkerSession::~WorkerSession() {
  if (writer_.joinable()) Finish();
}

void WorkerSession::Send(v1::CoordinatorMessage message) {
  absl::MutexLock lock(&mutex_);
  if (finishing_) return;
  if (outbox_.size() >= kMaxQueuedMessages) {
    spdlog::warn("a worker group does not read its messages; its stream is cut off");
    if (context_ != nullptr) context_->TryCancel();
    return;
  }
  outbox_.push_back(std::move(message));
  work_.Signal();
}

void WorkerSession::Cancel() {
  absl::MutexLock lock(&mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

void WorkerSession::Finish() {
  {
    absl::MutexLock lock(&mutex_);
    finishing_ = true;
    work_.Signal();
  }
  writer_.join();
  absl::MutexLock lock(&mutex_);
  context_ = nullptr;
}

void WorkerSession::WriterLoop() {
  while (true) {
    v1::CoordinatorMessage message;
    {
      absl::MutexLock lock(&mutex_);
      while (outbox_.empty() && !finishing_) work_.Wait(&mutex_);
      if (outbox_.empty()) return;
      message = std::move(outbox_.front());
      outbox_.pop_front();
    }
    if (stream_->Write(message)) continue;
    Cancel();
    absl::MutexLock lock(&mutex_);
    outbox_.clear();
    finishing_ = true;  // Nothing can be sent any more.
    return;
  }
}

}  // namespace ridgeline
