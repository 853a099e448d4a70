// SPDX-License-Identifier: Apache-2.0
#include "comm/nccl/host/host_nccl.h"

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "comm/nccl/host/host_cuda.h"

namespace {

struct Post {
  const void* data;
  size_t bytes;
  bool taken = false;
};

// The ranks that know each other by one id.
struct Meeting {
  std::mutex mutex;
  std::condition_variable changed;
  int came = 0;
  std::map<std::pair<int, int>, std::deque<std::shared_ptr<Post>>> posts;  // By sender and receiver.
};

struct Connections {
  std::shared_ptr<Meeting> meeting;
  int rank = 0, size = 0;
  std::atomic<ncclResult_t> error{ncclSuccess};
  bool is_aborted = false;  // Under the meeting's lock.
};

struct Message {
  Connections* connections;
  bool is_sent;
  void* data;
  size_t bytes;
  int peer;
  cudaStream_t stream;
};

std::mutex meetings_mutex;
std::map<std::string, std::shared_ptr<Meeting>> meetings;
std::atomic<int> ids{0}, aborts{0};
thread_local int groups = 0;
thread_local std::vector<Message> grouped;
thread_local ncclResult_t next_failure = ncclSuccess;

// One group of messages, on the stream's thread. Aborted, it ends.
void Run(const std::vector<Message>& messages, const std::shared_ptr<Connections>& self) {
  Meeting& meeting = *self->meeting;
  std::unique_lock lock(meeting.mutex);
  if (self->is_aborted) return;
  std::vector<std::shared_ptr<Post>> mine;
  for (const Message& message : messages) {
    if (!message.is_sent) continue;
    mine.push_back(std::make_shared<Post>(Post{message.data, message.bytes}));
    meeting.posts[{self->rank, message.peer}].push_back(mine.back());
  }
  meeting.changed.notify_all();
  bool sizes_differ = false;  // Told when all have their messages.
  for (const Message& message : messages) {
    if (message.is_sent) continue;
    auto& inbox = meeting.posts[{message.peer, self->rank}];
    meeting.changed.wait(lock, [&] { return self->is_aborted || !inbox.empty(); });
    if (self->is_aborted) return;
    const std::shared_ptr<Post> post = inbox.front();
    inbox.pop_front();
    if (post->bytes != message.bytes)
      sizes_differ = true;
    else
      std::memcpy(message.data, post->data, post->bytes);
    post->taken = true;
    meeting.changed.notify_all();
  }
  for (const auto& post : mine) {
    meeting.changed.wait(lock, [&] { return self->is_aborted || post->taken; });
    if (self->is_aborted) return;
  }
  if (sizes_differ) self->error = ncclInvalidUsage;
}

std::map<Connections*, std::shared_ptr<Connections>>& Owners() {
  static std::map<Connections*, std::shared_ptr<Connections>> owners;
  return owners;
}
std::mutex owners_mutex;

std::shared_ptr<Connections> OwnerOf(Connections* connections) {
  const std::lock_guard lock(owners_mutex);
  return Owners().at(connections);
}

void Launch(std::vector<Message> messages) {
  if (messages.empty()) return;
  const std::shared_ptr<Connections> self = OwnerOf(messages.front().connections);
  const ncclResult_t failure = std::exchange(next_failure, ncclSuccess);
  const cudaStream_t stream = messages.front().stream;
  ridgeline::host_cuda::Enqueue(stream, [messages = std::move(messages), self, failure] {
    if (failure == ncclSuccess) return Run(messages, self);
    self->error = failure;
    std::unique_lock lock(self->meeting->mutex);
    self->meeting->changed.wait(lock, [&] { return self->is_aborted; });
  });
}

ncclResult_t Give(const Message& message) {
  grouped.push_back(message);
  if (groups == 0) Launch(std::exchange(grouped, {}));
  return ncclSuccess;
}

Connections* Of(ncclComm_t connections) { return reinterpret_cast<Connections*>(connections); }

}  // namespace

namespace ridgeline::host_nccl {

void FailNext(ncclResult_t result) { next_failure = result; }
int AbortCount() { return aborts; }

}  // namespace ridgeline::host_nccl

extern "C" {

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  std::memset(id, 0, sizeof *id);
  const std::string name = std::to_string(++ids);
  std::memcpy(id->internal, name.data(), name.size());
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* connections, int size, ncclUniqueId id, int rank, ncclConfig_t*) {
  auto self = std::make_shared<Connections>();
  {
    const std::lock_guard lock(meetings_mutex);
    auto& meeting = meetings[id.internal];
    if (meeting == nullptr) meeting = std::make_shared<Meeting>();
    self->meeting = meeting;
  }
  self->rank = rank;
  self->size = size;
  {
    const std::lock_guard lock(self->meeting->mutex);
    ++self->meeting->came;
  }
  const std::lock_guard lock(owners_mutex);
  Owners()[self.get()] = self;
  *connections = reinterpret_cast<ncclComm_t>(self.get());
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t connections, ncclResult_t* state) {
  const Connections& self = *Of(connections);
  const std::lock_guard lock(self.meeting->mutex);
  *state = self.meeting->came < self.size ? ncclInProgress : self.error.load();
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t connections) {
  ++aborts;
  const std::shared_ptr<Connections> self = OwnerOf(Of(connections));
  {
    const std::lock_guard lock(self->meeting->mutex);
    self->is_aborted = true;
    for (auto& [between, posts] : self->meeting->posts)
      if (between.first == self->rank) posts.clear();  // Their memory may go now.
  }
  self->meeting->changed.notify_all();
  const std::lock_guard lock(owners_mutex);
  Owners().erase(self.get());
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t connections) {
  const std::lock_guard lock(owners_mutex);
  Owners().erase(Of(connections));
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  ++groups;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
  if (--groups == 0) Launch(std::exchange(grouped, {}));
  return ncclSuccess;
}

ncclResult_t ncclSend(const void* data, size_t bytes, ncclDataType_t, int peer, ncclComm_t connections,
                      cudaStream_t stream) {
  return Give({Of(connections), true, const_cast<void*>(data), bytes, peer, stream});
}
ncclResult_t ncclRecv(void* data, size_t bytes, ncclDataType_t, int peer, ncclComm_t connections, cudaStream_t stream) {
  return Give({Of(connections), false, data, bytes, peer, stream});
}

const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclInvalidUsage ? "sizes differ" : result == ncclRemoteError ? "a peer is gone" : "an error";
}

}  // extern "C"
