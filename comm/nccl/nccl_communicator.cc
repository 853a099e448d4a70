// SPDX-License-Identifier: Apache-2.0
#include "comm/nccl/nccl_communicator.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "comm/nccl/device_sum.h"
#include "comm/nccl/nccl_job.h"
#include "comm/parts.h"
#include "comm/stopwatch.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

// As exchange_communicator.cc has it: so few bytes are one exchange of everything; and what an all-reduce holds of the
// other ranks' values at a time.
constexpr int64_t kFewBytes = 8 << 10;
constexpr int64_t kPieceBytes = 64 << 20;

struct Part {
  int rank;  // Whom it goes to, or comes from.
  void* data;
  int64_t bytes;
};

// An operation whose end is a place in the stream.
class PendingInStream final : public Pending {
 public:
  PendingInStream(std::shared_ptr<NcclJob> job, std::shared_ptr<StreamEvent> end)
      : job_(std::move(job)), end_(std::move(end)) {}

  // An error ends it, too: Synchronize tells.
  bool Poll() override {
    const absl::StatusOr<bool> passed = end_->HasPassed();
    return !passed.ok() || *passed;
  }
  absl::Status Wait() override { return CudaStatus(end_->HoldUp(job_->caller_stream()), "waiting for an exchange"); }

 private:
  const std::shared_ptr<NcclJob> job_;
  const std::shared_ptr<StreamEvent> end_;
};

// Which memory all of them are, or that they are not alike.
absl::StatusOr<Memory> OneMemory(Memory first, Memory second, const char* what) {
  if (first == second) return first;
  return absl::UnimplementedError(
      fmt::format("collective '{}': memory of the host and of a device in one operation", what));
}

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(std::unique_ptr<Communicator> host, std::shared_ptr<NcclJob> job)
      : host_(std::move(host)), job_(std::move(job)) {}
  ~NcclCommunicator() override {
    if (connections_ != nullptr) job_->Remove(connections_);
  }

  absl::Status Connect();

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  int64_t timeout_ms() const override { return host_->timeout_ms(); }
  void SetTimeout(int64_t timeout_ms) override { host_->SetTimeout(timeout_ms); }
  bool Reaches(Memory) const override { return true; }
  absl::Status Synchronize() override { return job_->Synchronize(*host_); }
  absl::Status AwaitOther(const std::function<absl::StatusOr<bool>()>& done, int64_t since_ms,
                          const char* what) override {
    return host_->AwaitOther(done, since_ms, what);
  }
  void SetStep(std::string step) override {
    job_->SetStep(step);
    host_->SetStep(std::move(step));
  }
  const CollectiveCounts& counts() const override;

  absl::Status Barrier(const char* what) override { return host_->Barrier(what); }
  absl::Status BroadcastFromRoot(std::string* bytes, const char* what) override {
    return host_->BroadcastFromRoot(bytes, what);
  }
  absl::Status AwaitRoot(std::string* bytes, const char* what) override { return host_->AwaitRoot(bytes, what); }
  absl::Status GatherToRoot(const std::string& bytes, std::vector<std::string>* by_rank, const char* what) override {
    return host_->GatherToRoot(bytes, by_rank, what);
  }
  absl::StatusOr<std::unique_ptr<Communicator>> Group(int64_t color, const char* what) override;

  absl::Status AllReduceSum(MemorySpan<float> values, const char* what) override { return AllReduce(values, what); }
  absl::Status AllReduceSum(MemorySpan<double> values, const char* what) override { return AllReduce(values, what); }
  absl::StatusOr<std::unique_ptr<Pending>> StartReduceScatterSum(MemorySpan<const float> values,
                                                                 std::span<const int64_t> sizes, MemorySpan<float> sum,
                                                                 const char* what) override;
  absl::StatusOr<std::unique_ptr<Pending>> StartAllGatherBytes(MemorySpan<const std::byte> mine,
                                                               std::span<const int64_t> sizes,
                                                               MemorySpan<std::byte> all, const char* what) override;
  absl::StatusOr<std::unique_ptr<Pending>> StartExchangeBytes(MemorySpan<const std::byte> outgoing,
                                                              std::span<const int64_t> out_sizes,
                                                              MemorySpan<std::byte> incoming,
                                                              std::span<const int64_t> in_sizes,
                                                              const char* what) override;

 private:
  RankOf Self() const { return {rank(), size()}; }
  std::vector<int> Others() const;
  absl::Status Copy(const void* from, int64_t bytes, void* to, const char* what);
  absl::Status Exchange(const std::vector<Part>& outgoing, const std::vector<Part>& incoming, const char* what,
                        CollectiveCount& count);
  absl::Status AwaitLaunch(const char* what);
  absl::StatusOr<std::unique_ptr<Pending>> Ended(const absl::Status& done, const char* what);

  absl::Status GatherParts(std::span<const int64_t> sizes, std::byte* all, const char* what, CollectiveCount& count);
  template <typename T>
  absl::Status ScatterSum(const T* values, std::span<const int64_t> sizes, T* sum, const char* what,
                          CollectiveCount& count);
  template <typename T>
  absl::Status SumFew(T* values, int64_t length, const char* what, CollectiveCount& count);
  template <typename T>
  absl::Status SumPieces(T* values, int64_t length, const char* what, CollectiveCount& count);
  template <typename T>
  absl::Status AllReduce(MemorySpan<T> values, const char* what);

  const std::unique_ptr<Communicator> host_;
  const std::shared_ptr<NcclJob> job_;
  GroupStream stream_;                // Groups need not begin their operations in one order.
  ncclComm_t connections_ = nullptr;  // Null in a group of one.
  mutable CollectiveCounts counts_{};
};

// The ranks meet: rank 0 makes the id that they know each other by.
absl::Status NcclCommunicator::Connect() {
  RETURN_IF_ERROR(job_->UseDevice());
  RETURN_IF_ERROR(stream_.Init());
  if (size() == 1) return absl::OkStatus();
  constexpr const char* kWhat = "connecting the GPUs";
  ncclUniqueId id{};
  const ncclResult_t made = rank() == 0 ? ncclGetUniqueId(&id) : ncclSuccess;
  std::string bytes(reinterpret_cast<const char*>(&id), sizeof id);
  if (made != ncclSuccess) bytes.clear();
  const CollectiveCount before = host_->counts()[static_cast<size_t>(Collective::kBroadcast)];
  RETURN_IF_ERROR(host_->BroadcastFromRoot(&bytes, kWhat));
  const CollectiveCount after = host_->counts()[static_cast<size_t>(Collective::kBroadcast)];
  CollectiveCount& uncounted = job_->counts()[static_cast<size_t>(Collective::kBroadcast)];
  uncounted.calls -= after.calls - before.calls;
  uncounted.bytes -= after.bytes - before.bytes;
  uncounted.seconds -= after.seconds - before.seconds;
  if (bytes.size() != sizeof id) return absl::InternalError("NCCL on rank 0 could not make an id: its log says why");
  std::memcpy(&id, bytes.data(), sizeof id);
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  RETURN_IF_ERROR(
      job_->Fail(NcclStatus(ncclCommInitRankConfig(&connections_, size(), id, rank(), &config), kWhat), kWhat));
  job_->Add(connections_);
  return AwaitLaunch(kWhat);
}

// What was given to NCCL is on the stream only once it says so: it connects ranks when they first send, and that takes
// them both.
absl::Status NcclCommunicator::AwaitLaunch(const char* what) {
  const auto launched = [this, what]() -> absl::StatusOr<bool> {
    ncclResult_t state = ncclSuccess;
    RETURN_IF_ERROR(NcclStatus(ncclCommGetAsyncError(connections_, &state), what));
    RETURN_IF_ERROR(NcclStatus(state, what));
    return state != ncclInProgress;
  };
  return job_->Fail(host_->AwaitOther(launched, SystemClock().MonotonicMs(), what), what);
}

const CollectiveCounts& NcclCommunicator::counts() const {
  counts_ = host_->counts();
  for (size_t i = 0; i < counts_.size(); ++i) {
    const CollectiveCount& on_devices = job_->counts()[i];
    counts_[i].calls += on_devices.calls;
    counts_[i].bytes += on_devices.bytes;
    counts_[i].seconds += on_devices.seconds;
  }
  return counts_;
}

absl::StatusOr<std::unique_ptr<Communicator>> NcclCommunicator::Group(int64_t color, const char* what) {
  ASSIGN_OR_RETURN(std::unique_ptr<Communicator> host, host_->Group(color, what));
  if (host == nullptr) return nullptr;
  auto group = std::make_unique<NcclCommunicator>(std::move(host), job_);
  RETURN_IF_ERROR(group->Connect());
  return group;
}

// From the next rank on, as in exchange_communicator.cc.
std::vector<int> NcclCommunicator::Others() const {
  std::vector<int> others;
  for (int step = 1; step < size(); ++step) others.push_back((rank() + step) % size());
  return others;
}

absl::Status NcclCommunicator::Copy(const void* from, int64_t bytes, void* to, const char* what) {
  if (bytes == 0 || from == to) return absl::OkStatus();
  return CudaStatus(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, stream_.get()),
                    what);
}

// All at once. Parts without bytes are left out on both sides.
absl::Status NcclCommunicator::Exchange(const std::vector<Part>& outgoing, const std::vector<Part>& incoming,
                                        const char* what, CollectiveCount& count) {
  if (connections_ == nullptr) return absl::OkStatus();
  absl::Status status = NcclStatus(ncclGroupStart(), what);
  for (const Part& part : outgoing) {
    if (part.bytes == 0) continue;
    count.bytes += part.bytes;
    status.Update(NcclStatus(
        ncclSend(part.data, static_cast<size_t>(part.bytes), ncclUint8, part.rank, connections_, stream_.get()), what));
  }
  for (const Part& part : incoming)
    if (part.bytes > 0)
      status.Update(NcclStatus(
          ncclRecv(part.data, static_cast<size_t>(part.bytes), ncclUint8, part.rank, connections_, stream_.get()),
          what));
  status.Update(NcclStatus(ncclGroupEnd(), what));
  RETURN_IF_ERROR(job_->Fail(status, what));
  return AwaitLaunch(what);
}

absl::StatusOr<std::unique_ptr<Pending>> NcclCommunicator::Ended(const absl::Status& done, const char* what) {
  RETURN_IF_ERROR(done);
  ASSIGN_OR_RETURN(std::shared_ptr<StreamEvent> end, job_->End(what, stream_.get(), connections_));
  return std::make_unique<PendingInStream>(job_, std::move(end));
}

// `all` has this rank's part already.
absl::Status NcclCommunicator::GatherParts(std::span<const int64_t> sizes, std::byte* all, const char* what,
                                           CollectiveCount& count) {
  const std::vector<int64_t> offsets = OffsetsOf(sizes);
  const auto self = static_cast<size_t>(rank());
  std::vector<Part> outgoing, incoming;
  for (int other : Others()) {
    const auto i = static_cast<size_t>(other);
    outgoing.push_back({other, all + offsets[self], sizes[self]});
    incoming.push_back({other, all + offsets[i], sizes[i]});
  }
  return Exchange(outgoing, incoming, what, count);
}

template <typename T>
absl::Status NcclCommunicator::ScatterSum(const T* values, std::span<const int64_t> sizes, T* sum, const char* what,
                                          CollectiveCount& count) {
  const std::vector<int64_t> offsets = OffsetsOf(sizes);
  const auto self = static_cast<size_t>(rank());
  const int64_t mine = sizes[self];
  constexpr auto kBytes = static_cast<int64_t>(sizeof(T));
  ASSIGN_OR_RETURN(void* const memory, stream_.Scratch(mine * kBytes * (size() - 1)));
  T* const theirs = static_cast<T*>(memory);
  std::vector<Part> outgoing, incoming;
  for (int other : Others()) {
    const auto i = static_cast<size_t>(other);
    outgoing.push_back({other, const_cast<T*>(values) + offsets[i], sizes[i] * kBytes});
    incoming.push_back({other, theirs + (other < rank() ? other : other - 1) * mine, mine * kBytes});
  }
  RETURN_IF_ERROR(Exchange(outgoing, incoming, what, count));
  return CudaStatus(LaunchRankOrderSum<T>(values + offsets[self], theirs, rank(), size(), mine, sum, stream_.get()),
                    what);
}

template <typename T>
absl::Status NcclCommunicator::SumFew(T* values, int64_t length, const char* what, CollectiveCount& count) {
  const auto bytes = length * static_cast<int64_t>(sizeof(T));
  ASSIGN_OR_RETURN(void* const memory, stream_.Scratch(bytes * (size() - 1)));
  std::vector<Part> outgoing, incoming;
  for (int other : Others()) {
    outgoing.push_back({other, values, bytes});
    incoming.push_back({other, static_cast<std::byte*>(memory) + (other < rank() ? other : other - 1) * bytes, bytes});
  }
  RETURN_IF_ERROR(Exchange(outgoing, incoming, what, count));
  return CudaStatus(
      LaunchRankOrderSum<T>(values, static_cast<const T*>(memory), rank(), size(), length, values, stream_.get()),
      what);
}

template <typename T>
absl::Status NcclCommunicator::SumPieces(T* values, int64_t length, const char* what, CollectiveCount& count) {
  constexpr auto kBytes = static_cast<int64_t>(sizeof(T));
  for (int64_t begin = 0; begin < length; begin += kPieceBytes / kBytes) {
    std::vector<int64_t> sizes = EvenShares(std::min(kPieceBytes / kBytes, length - begin), size());
    T* const piece = values + begin;
    T* const mine = piece + OffsetsOf(sizes)[static_cast<size_t>(rank())];
    RETURN_IF_ERROR(ScatterSum<T>(piece, sizes, mine, what, count));
    for (int64_t& part : sizes) part *= kBytes;
    RETURN_IF_ERROR(GatherParts(sizes, reinterpret_cast<std::byte*>(piece), what, count));
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status NcclCommunicator::AllReduce(MemorySpan<T> values, const char* what) {
  if (values.memory() == Memory::kHost) return host_->AllReduceSum(values, what);
  CollectiveCount& count = job_->Count(Collective::kAllReduce);
  const Stopwatch stopwatch(count);
  RETURN_IF_ERROR(job_->Begin(stream_.get()));
  if (size() == 1) return absl::OkStatus();
  const bool is_few = values.size() * static_cast<int64_t>(sizeof(T)) <= kFewBytes;
  const absl::Status summed =
      is_few ? SumFew(values.data(), values.size(), what, count) : SumPieces(values.data(), values.size(), what, count);
  ASSIGN_OR_RETURN(const std::unique_ptr<Pending> pending, Ended(summed, what));
  return pending->Wait();
}

absl::StatusOr<std::unique_ptr<Pending>> NcclCommunicator::StartReduceScatterSum(MemorySpan<const float> values,
                                                                                 std::span<const int64_t> sizes,
                                                                                 MemorySpan<float> sum,
                                                                                 const char* what) {
  ASSIGN_OR_RETURN(const Memory memory, OneMemory(values.memory(), sum.memory(), what));
  if (memory == Memory::kHost) return host_->StartReduceScatterSum(values, sizes, sum, what);
  RETURN_IF_ERROR(CheckParts(values.size(), sizes, sum.size(), Self(), what));
  CollectiveCount& count = job_->Count(Collective::kReduceScatter);
  const Stopwatch stopwatch(count);
  RETURN_IF_ERROR(job_->Begin(stream_.get()));
  return Ended(ScatterSum<float>(values.data(), sizes, sum.data(), what, count), what);
}

absl::StatusOr<std::unique_ptr<Pending>> NcclCommunicator::StartAllGatherBytes(MemorySpan<const std::byte> mine,
                                                                               std::span<const int64_t> sizes,
                                                                               MemorySpan<std::byte> all,
                                                                               const char* what) {
  ASSIGN_OR_RETURN(const Memory memory, OneMemory(mine.memory(), all.memory(), what));
  if (memory == Memory::kHost) return host_->StartAllGatherBytes(mine, sizes, all, what);
  RETURN_IF_ERROR(CheckParts(all.size(), sizes, mine.size(), Self(), what));
  CollectiveCount& count = job_->Count(Collective::kAllGather);
  const Stopwatch stopwatch(count);
  RETURN_IF_ERROR(job_->Begin(stream_.get()));
  const int64_t offset = OffsetsOf(sizes)[static_cast<size_t>(rank())];
  RETURN_IF_ERROR(Copy(mine.data(), mine.size(), all.data() + offset, what));
  return Ended(GatherParts(sizes, all.data(), what, count), what);
}

absl::StatusOr<std::unique_ptr<Pending>> NcclCommunicator::StartExchangeBytes(MemorySpan<const std::byte> outgoing,
                                                                              std::span<const int64_t> out_sizes,
                                                                              MemorySpan<std::byte> incoming,
                                                                              std::span<const int64_t> in_sizes,
                                                                              const char* what) {
  ASSIGN_OR_RETURN(const Memory memory, OneMemory(outgoing.memory(), incoming.memory(), what));
  if (memory == Memory::kHost) return host_->StartExchangeBytes(outgoing, out_sizes, incoming, in_sizes, what);
  RETURN_IF_ERROR(CheckExchange(outgoing.size(), out_sizes, incoming.size(), in_sizes, Self(), what));
  CollectiveCount& count = job_->Count(Collective::kAllToAll);
  const Stopwatch stopwatch(count);
  RETURN_IF_ERROR(job_->Begin(stream_.get()));
  const std::vector<int64_t> from = OffsetsOf(out_sizes), to = OffsetsOf(in_sizes);
  const auto self = static_cast<size_t>(rank());
  RETURN_IF_ERROR(Copy(outgoing.data() + from[self], out_sizes[self], incoming.data() + to[self], what));
  std::vector<Part> sent, received;
  for (int other : Others()) {
    const auto i = static_cast<size_t>(other);
    sent.push_back({other, const_cast<std::byte*>(outgoing.data()) + from[i], out_sizes[i]});
    received.push_back({other, incoming.data() + to[i], in_sizes[i]});
  }
  return Ended(Exchange(sent, received, what, count), what);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Communicator>> MakeNcclCommunicator(std::unique_ptr<Communicator> host,
                                                                   const NcclOptions& options) {
  auto job = std::make_shared<NcclJob>(options.device, options.caller_stream, host->rank(), host->size());
  auto communicator = std::make_unique<NcclCommunicator>(std::move(host), std::move(job));
  RETURN_IF_ERROR(communicator->Connect());
  return communicator;
}

}  // namespace ridgeline
