// SPDX-License-Identifier: Apache-2.0
// Shows ThreadSanitizer the locks of absl::Mutex. The installed Abseil is not compiled for it, and what its mutexes
// guard would look unguarded. The linker puts these functions in the place of Abseil's (cmake/Tsan.cmake).
#include <sanitizer/tsan_interface.h>

#include "absl/synchronization/mutex.h"

namespace ridgeline {

// The functions of absl::Mutex and absl::CondVar that we call, by their names in the library: --wrap calls Abseil's own
// __real_NAME, and ours __wrap_NAME. RIDGELINE_ABSL is how names of its inline namespace begin.
#define RIDGELINE_REAL(name) asm("__real_" RIDGELINE_ABSL name)
#define RIDGELINE_WRAP(name) asm("__wrap_" RIDGELINE_ABSL name)

void RealLock(absl::Mutex*) RIDGELINE_REAL("5Mutex4LockEv");
void RealUnlock(absl::Mutex*) RIDGELINE_REAL("5Mutex6UnlockEv");
void RealReaderLock(absl::Mutex*) RIDGELINE_REAL("5Mutex10ReaderLockEv");
void RealReaderUnlock(absl::Mutex*) RIDGELINE_REAL("5Mutex12ReaderUnlockEv");
void RealWait(absl::CondVar*, absl::Mutex*) RIDGELINE_REAL("7CondVar4WaitEPNS0_5MutexE");
bool RealWaitWithDeadline(absl::CondVar*, absl::Mutex*, absl::Time)
    RIDGELINE_REAL("7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");

void WrapLock(absl::Mutex*) RIDGELINE_WRAP("5Mutex4LockEv");
void WrapUnlock(absl::Mutex*) RIDGELINE_WRAP("5Mutex6UnlockEv");
void WrapReaderLock(absl::Mutex*) RIDGELINE_WRAP("5Mutex10ReaderLockEv");
void WrapReaderUnlock(absl::Mutex*) RIDGELINE_WRAP("5Mutex12ReaderUnlockEv");
void WrapWait(absl::CondVar*, absl::Mutex*) RIDGELINE_WRAP("7CondVar4WaitEPNS0_5MutexE");
bool WrapWaitWithDeadline(absl::CondVar*, absl::Mutex*, absl::Time)
    RIDGELINE_WRAP("7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");

void WrapLock(absl::Mutex* mutex) {
  __tsan_mutex_pre_lock(mutex, 0);
  RealLock(mutex);
  __tsan_mutex_post_lock(mutex, 0, 0);
}

void WrapUnlock(absl::Mutex* mutex) {
  __tsan_mutex_pre_unlock(mutex, 0);
  RealUnlock(mutex);
  __tsan_mutex_post_unlock(mutex, 0);
}

void WrapReaderLock(absl::Mutex* mutex) {
  __tsan_mutex_pre_lock(mutex, __tsan_mutex_read_lock);
  RealReaderLock(mutex);
  __tsan_mutex_post_lock(mutex, __tsan_mutex_read_lock, 0);
}

void WrapReaderUnlock(absl::Mutex* mutex) {
  __tsan_mutex_pre_unlock(mutex, __tsan_mutex_read_lock);
  RealReaderUnlock(mutex);
  __tsan_mutex_post_unlock(mutex, __tsan_mutex_read_lock);
}

// While it waits the mutex is free.
void WrapWait(absl::CondVar* condition, absl::Mutex* mutex) {
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  RealWait(condition, mutex);
  __tsan_mutex_pre_lock(mutex, 0);
  __tsan_mutex_post_lock(mutex, 0, 0);
}

bool WrapWaitWithDeadline(absl::CondVar* condition, absl::Mutex* mutex, absl::Time deadline) {
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  const bool timed_out = RealWaitWithDeadline(condition, mutex, deadline);
  __tsan_mutex_pre_lock(mutex, 0);
  __tsan_mutex_post_lock(mutex, 0, 0);
  return timed_out;
}

}  // namespace ridgeline
