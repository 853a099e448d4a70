// SPDX-License-Identifier: Apache-2.0
// The sending side of one worker group's stream: a bounded queue and the thread that writes it.
#pragma once

#include <deque>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/fleet/group_channel.h"
#include "ridgeline/v1/worker.grpc.pb.h"

namespace ridgeline {

using WorkerStream = grpc::ServerReaderWriter<v1::CoordinatorMessage, v1::WorkerMessage>;

// Thread-safe. Owned by the gateway's handler of the stream, and shared with the group while it is connected.
class WorkerSession final : public GroupChannel {
 public:
  // `context` and `stream` must live until Finish returns.
  WorkerSession(grpc::ServerContext* context, WorkerStream* stream);
  ~WorkerSession() override;

  // Never blocks. A peer that reads so slowly that the queue overflows is cut off.
  void Send(v1::CoordinatorMessage message) override;
  // Ends the stream from any thread; the handler's Read then fails.
  void Cancel() override;
  // Writes what is queued (as far as the peer still reads), then stops. Only the handler calls it, once.
  void Finish();

 private:
  void WriterLoop();

  absl::Mutex mutex_;
  absl::CondVar work_;
  std::deque<v1::CoordinatorMessage> outbox_ ABSL_GUARDED_BY(mutex_);
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ServerContext* context_ ABSL_GUARDED_BY(mutex_);  // Null after Finish.
  WorkerStream* const stream_;
  std::thread writer_;
};

}  // namespace ridgeline
