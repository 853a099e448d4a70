// SPDX-License-Identifier: Apache-2.0
// Ends a poll() of another thread.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

namespace ridgeline {

class WakeFd {
 public:
  WakeFd() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~WakeFd() { close(fd_); }
  WakeFd(const WakeFd&) = delete;
  WakeFd& operator=(const WakeFd&) = delete;

  int fd() const { return fd_; }  // Readable for good after Wake.
  void Wake() const { eventfd_write(fd_, 1); }

 private:
  const int fd_;
};

}  // namespace ridgeline
