// SPDX-License-Identifier: Apache-2.0
// Preloaded into a program, it lets its wall clock jump: RIDGELINE_WALL_CLOCK names a file with the seconds by which
// that clock is off, an int64 that a test may change at any time. The monotonic clock stays. Waits until a time of the
// wall clock end when that clock says so, as they do where somebody sets the machine's.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

constexpr int64_t kNs = 1'000'000'000;
constexpr int64_t kSliceNs = 20'000'000;  // How soon a wait sees that the clock has jumped.

using ClockGettime = int (*)(clockid_t, timespec*);
using Syscall = long (*)(long, ...);

const std::atomic<int64_t>* Offset() {
  static const std::atomic<int64_t>* offset = [] {
    const char* path = std::getenv("RIDGELINE_WALL_CLOCK");
    const int fd = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) std::abort();
    void* mapped = mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED) std::abort();
    return static_cast<const std::atomic<int64_t>*>(mapped);
  }();
  return offset;
}

int64_t RealNs() {
  static const auto real = reinterpret_cast<ClockGettime>(dlsym(RTLD_NEXT, "clock_gettime"));
  timespec now{};
  real(CLOCK_REALTIME, &now);
  return now.tv_sec * kNs + now.tv_nsec;
}

int64_t WallNs() { return RealNs() + Offset()->load() * kNs; }
timespec TimeOf(int64_t ns) { return {.tv_sec = ns / kNs, .tv_nsec = ns % kNs}; }

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) {
  static const auto real = reinterpret_cast<ClockGettime>(dlsym(RTLD_NEXT, "clock_gettime"));
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return real(clock, now);
  *now = TimeOf(WallNs());
  return 0;
}

int gettimeofday(timeval* now, void*) {
  const int64_t ns = WallNs();
  *now = {.tv_sec = ns / kNs, .tv_usec = ns % kNs / 1000};
  return 0;
}

time_t time(time_t* now) {
  const time_t seconds = WallNs() / kNs;
  if (now != nullptr) *now = seconds;
  return seconds;
}

// Abseil's condition variables wait by this call.
long syscall(long number, ...) {
  static const auto real = reinterpret_cast<Syscall>(dlsym(RTLD_NEXT, "syscall"));
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  const auto* deadline = reinterpret_cast<const timespec*>(a[3]);
  const bool waits = number == SYS_futex && (a[1] & FUTEX_CLOCK_REALTIME) != 0 && deadline != nullptr;
  if (!waits) return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  while (true) {
    const int64_t left_ns = deadline->tv_sec * kNs + deadline->tv_nsec - WallNs();
    const timespec slice = TimeOf(RealNs() + std::clamp<int64_t>(left_ns, 0, kSliceNs));
    const long result = real(number, a[0], a[1], a[2], reinterpret_cast<long>(&slice), a[4], a[5]);
    if (result == 0 || errno != ETIMEDOUT || left_ns <= kSliceNs) return result;
  }
}

}  // extern "C"
