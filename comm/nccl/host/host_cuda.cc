// SPDX-License-Identifier: Apache-2.0
#include "comm/nccl/host/host_cuda.h"

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "comm/nccl/device_sum.h"

// CUDA's names for what it does not show.
struct CUstream_st {
  CUstream_st() : thread([this] { Run(); }) {}
  ~CUstream_st() {
    {
      const std::lock_guard lock(mutex);
      ends = true;
    }
    changed.notify_all();
    thread.join();
  }

  void Run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return ends || !works.empty(); });
      if (works.empty()) return;
      const std::function<void()> work = std::move(works.front());
      works.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> works;
  bool ends = false;
  std::thread thread;  // Last: it uses the others.
};

// Of the latest record; others may wait for it after the event itself is gone.
struct CUevent_st {
  struct Mark {
    std::mutex mutex;
    std::condition_variable changed;
    bool passed = false;
  };
  std::shared_ptr<Mark> mark = std::make_shared<Mark>();
  bool recorded = false;
};

namespace ridgeline::host_cuda {

void Enqueue(cudaStream_t stream, std::function<void()> work) {
  {
    const std::lock_guard lock(stream->mutex);
    stream->works.push_back(std::move(work));
  }
  stream->changed.notify_all();
}

}  // namespace ridgeline::host_cuda

using ridgeline::host_cuda::Enqueue;

extern "C" {

cudaError_t cudaSetDevice(int) { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t error) { return error == cudaSuccess ? "no error" : "an error of the test"; }

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  *memory = std::malloc(bytes);
  return *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
  std::free(memory);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  Enqueue(stream, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new CUstream_st;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->mark = std::make_shared<CUevent_st::Mark>();
  event->recorded = true;
  Enqueue(stream, [mark = event->mark] {
    const std::lock_guard lock(mark->mutex);
    mark->passed = true;
    mark->changed.notify_all();
  });
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (!event->recorded) return cudaSuccess;
  const std::lock_guard lock(event->mark->mutex);
  return event->mark->passed ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (!event->recorded) return cudaSuccess;
  Enqueue(stream, [mark = event->mark] {
    std::unique_lock lock(mark->mutex);
    mark->changed.wait(lock, [&] { return mark->passed; });
  });
  return cudaSuccess;
}

}  // extern "C"

namespace ridgeline {

// The kernel's loop.
template <typename T>
cudaError_t LaunchRankOrderSum(const T* own, const T* theirs, int rank, int size, int64_t count, T* sum,
                               cudaStream_t stream) {
  Enqueue(stream, [=] {
    for (int64_t i = 0; i < count; ++i) {
      T total = rank == 0 ? own[i] : theirs[i];
      for (int from = 1; from < size; ++from)
        total += from == rank ? own[i] : theirs[(from < rank ? from : from - 1) * count + i];
      sum[i] = total;
    }
  });
  return cudaSuccess;
}

template cudaError_t LaunchRankOrderSum(const float*, const float*, int, int, int64_t, float*, cudaStream_t);
template cudaError_t LaunchRankOrderSum(const double*, const double*, int, int, int64_t, double*, cudaStream_t);

}  // namespace ridgeline
