// SPDX-License-Identifier: Apache-2.0
#include "comm/nccl/nccl_job.h"

#include <algorithm>

#include "common/clock.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {

absl::Status CudaStatus(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return absl::OkStatus();
  return absl::InternalError(fmt::format("{}: CUDA: {}", what, cudaGetErrorString(error)));
}

absl::Status NcclStatus(ncclResult_t result, const char* what) {
  if (result == ncclSuccess || result == ncclInProgress) return absl::OkStatus();
  const std::string text = fmt::format("{}: NCCL: {}", what, ncclGetErrorString(result));
  return result == ncclRemoteError || result == ncclSystemError ? absl::UnavailableError(text)
                                                                : absl::InternalError(text);
}

StreamEvent::StreamEvent() {
  if (cudaEventCreateWithFlags(&event_, cudaEventDisableTiming) != cudaSuccess) event_ = nullptr;
}
StreamEvent::~StreamEvent() {
  if (event_ != nullptr) cudaEventDestroy(event_);
}
cudaError_t StreamEvent::RecordIn(cudaStream_t stream) {
  return event_ == nullptr ? cudaErrorMemoryAllocation : cudaEventRecord(event_, stream);
}
cudaError_t StreamEvent::HoldUp(cudaStream_t stream) const { return cudaStreamWaitEvent(stream, event_, 0); }
absl::StatusOr<bool> StreamEvent::HasPassed() const {
  const cudaError_t error = cudaEventQuery(event_);
  if (error == cudaErrorNotReady) return false;
  RETURN_IF_ERROR(CudaStatus(error, "an operation on the GPU"));
  return true;
}

GroupStream::~GroupStream() {
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
  for (void* memory : scratch_) cudaFree(memory);
}

absl::Status GroupStream::Init() {
  return CudaStatus(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "a stream for exchanges");
}

absl::StatusOr<void*> GroupStream::Scratch(int64_t bytes) {
  if (bytes > scratch_bytes_) {
    void* memory = nullptr;
    const int64_t wanted = std::max(bytes, 2 * scratch_bytes_);
    const cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(wanted));
    if (error == cudaErrorMemoryAllocation)
      return absl::ResourceExhaustedError(fmt::format("no {} bytes on the GPU for what other ranks send", wanted));
    RETURN_IF_ERROR(CudaStatus(error, "memory for what other ranks send"));
    scratch_.push_back(memory);
    scratch_bytes_ = wanted;
  }
  return scratch_.empty() ? nullptr : scratch_.back();
}

NcclJob::NcclJob(int device, std::function<cudaStream_t()> caller_stream, int rank, int size)
    : device_(device), rank_(rank), size_(size), caller_stream_(std::move(caller_stream)) {}

absl::Status NcclJob::UseDevice() const { return CudaStatus(cudaSetDevice(device_), "the rank's GPU"); }

void NcclJob::Remove(ncclComm_t connections) {
  if (connections_.erase(connections) == 0) return;  // They were aborted.
  if (under_way_.empty())
    ncclCommDestroy(connections);
  else
    ncclCommAbort(connections);
}

absl::Status NcclJob::Begin(cudaStream_t stream) {
  RETURN_IF_ERROR(failed_);
  RETURN_IF_ERROR(UseDevice());
  StreamEvent here;
  RETURN_IF_ERROR(CudaStatus(here.RecordIn(caller_stream()), "what was computed before"));
  return CudaStatus(here.HoldUp(stream), "what was computed before");
}

absl::StatusOr<std::shared_ptr<StreamEvent>> NcclJob::End(const char* what, cudaStream_t stream,
                                                          ncclComm_t connections) {
  auto end = std::make_shared<StreamEvent>();
  RETURN_IF_ERROR(CudaStatus(end->RecordIn(stream), what));
  under_way_.push_back({what, ++started_, end, connections});
  while (!under_way_.empty()) {  // Those that have ended need not be remembered.
    const absl::StatusOr<bool> ended = HasEnded(under_way_.front());
    if (!ended.ok() || !*ended) break;
    under_way_.pop_front();
  }
  return end;
}

absl::StatusOr<bool> NcclJob::HasEnded(const Operation& operation) const {
  // Before the error: one that comes between the two looks would be lost with an operation that has passed.
  const absl::StatusOr<bool> passed = operation.end->HasPassed();
  if (connections_.contains(operation.connections)) {
    ncclResult_t state = ncclSuccess;
    RETURN_IF_ERROR(NcclStatus(ncclCommGetAsyncError(operation.connections, &state), operation.what));
    RETURN_IF_ERROR(NcclStatus(state, operation.what));
  }
  return passed;
}

absl::Status NcclJob::Fail(const absl::Status& status, const char* what) {
  return FailOperation(status, what, started_ + 1);
}

// A time-out names the operation, the ranks and the step itself.
absl::Status NcclJob::FailOperation(const absl::Status& status, const char* what, int64_t number) {
  if (status.ok()) return status;
  const std::string detail = fmt::format(
      "it is operation {} on the GPU of this rank, {} of {}, whose connections are aborted", number, rank_, size_);
  const std::string where = step_.empty() ? "" : " at " + step_;
  failed_ = absl::Status(status.code(), absl::IsDeadlineExceeded(status)
                                            ? fmt::format("{}; {}", std::string(status.message()), detail)
                                            : fmt::format("collective '{}'{}: {}; {}", what, where,
                                                          std::string(status.message()), detail));
  for (ncclComm_t connections : connections_) ncclCommAbort(connections);
  connections_.clear();
  under_way_.clear();
  return failed_;
}

absl::Status NcclJob::Synchronize(Communicator& host) {
  RETURN_IF_ERROR(failed_);
  const int64_t since_ms = SystemClock().MonotonicMs();
  while (!under_way_.empty()) {
    const Operation& first = under_way_.front();
    const absl::Status ended = host.AwaitOther([&] { return HasEnded(first); }, since_ms, first.what);
    if (!ended.ok()) return FailOperation(ended, first.what, first.number);
    under_way_.pop_front();
  }
  return absl::OkStatus();
}

CollectiveCount& NcclJob::Count(Collective collective) {
  CollectiveCount& count = counts_[static_cast<size_t>(collective)];
  ++count.calls;
  return count;
}

}  // namespace ridgeline
