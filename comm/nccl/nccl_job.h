// SPDX-License-Identifier: Apache-2.0
// What a rank's groups share on its GPU: their operations under way, and the first error; and what each has for itself.
#pragma once

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "comm/communicator.h"

namespace ridgeline {

// A place in a stream's order.
class StreamEvent {
 public:
  StreamEvent();
  ~StreamEvent();
  StreamEvent(const StreamEvent&) = delete;
  StreamEvent& operator=(const StreamEvent&) = delete;

  cudaError_t RecordIn(cudaStream_t stream);
  cudaError_t HoldUp(cudaStream_t stream) const;  // What the stream is given from now on comes after it.
  absl::StatusOr<bool> HasPassed() const;

 private:
  cudaEvent_t event_ = nullptr;
};

// INTERNAL with CUDA's words.
absl::Status CudaStatus(cudaError_t error, const char* what);
// UNAVAILABLE where a connection or a peer is gone, else INTERNAL; OK also while it is in progress.
absl::Status NcclStatus(ncclResult_t result, const char* what);

// A stream of a group's operations, and device memory for what they receive.
class GroupStream {
 public:
  GroupStream() = default;
  ~GroupStream();
  GroupStream(const GroupStream&) = delete;
  GroupStream& operator=(const GroupStream&) = delete;

  absl::Status Init();
  cudaStream_t get() const { return stream_; }
  // At least so many bytes, until the next operation's.
  absl::StatusOr<void*> Scratch(int64_t bytes);

 private:
  cudaStream_t stream_ = nullptr;
  std::vector<void*> scratch_;  // The last is in use; earlier ones were too small, and may still be read.
  int64_t scratch_bytes_ = 0;
};

class NcclJob {
 public:
  NcclJob(int device, std::function<cudaStream_t()> caller_stream, int rank, int size);
  NcclJob(const NcclJob&) = delete;
  NcclJob& operator=(const NcclJob&) = delete;

  absl::Status UseDevice() const;
  cudaStream_t caller_stream() const { return caller_stream_(); }

  // The rank's connections of a group, which are aborted with the others.
  void Add(ncclComm_t connections) { connections_.insert(connections); }
  // Ends them: in order where nothing is under way.
  void Remove(ncclComm_t connections);

  // Before an operation in `stream`: the error where there was one, else the stream comes to where the caller's is.
  absl::Status Begin(cudaStream_t stream);
  // After it: it is under way until the event has passed.
  absl::StatusOr<std::shared_ptr<StreamEvent>> End(const char* what, cudaStream_t stream, ncclComm_t connections);
  // `status` where it is an error becomes that of all operations to come, with what is known of this one.
  absl::Status Fail(const absl::Status& status, const char* what);
  // The host waits by `host` for all that is under way.
  absl::Status Synchronize(Communicator& host);

  void SetStep(std::string step) { step_ = std::move(step); }
  CollectiveCount& Count(Collective collective);
  // Of operations on devices, less what connecting took of the host's.
  CollectiveCounts& counts() { return counts_; }

 private:
  struct Operation {
    const char* what;
    int64_t number;
    std::shared_ptr<StreamEvent> end;
    ncclComm_t connections;
  };
  absl::StatusOr<bool> HasEnded(const Operation& operation) const;
  absl::Status FailOperation(const absl::Status& status, const char* what, int64_t number);

  const int device_, rank_, size_;
  const std::function<cudaStream_t()> caller_stream_;
  std::set<ncclComm_t> connections_;
  std::deque<Operation> under_way_;
  int64_t started_ = 0;  // Operations, also the number of the latest.
  std::string step_;
  absl::Status failed_;
  CollectiveCounts counts_{};
};

}  // namespace ridgeline
