// SPDX-License-Identifier: Apache-2.0
// A real coordinator in a process of its own, for the benchmark of it: what it is asked, and what it costs.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ridgeline/v1/coordinator.grpc.pb.h"

namespace ridgeline {

// Killed, and its folder removed, with it.
class CoordinatorProcess {
 public:
  // `program`: ridgeline-coordinator. `folder` is made; it lies on the disk that is measured.
  static absl::StatusOr<std::unique_ptr<CoordinatorProcess>> Start(const std::string& program,
                                                                   const std::string& folder);
  ~CoordinatorProcess();

  // Kills it with -9 and starts it again; seconds until it answers.
  absl::StatusOr<double> Restart();

  const std::string& address() const { return address_; }
  // On a connection of its own.
  std::unique_ptr<v1::Coordinator::Stub> Connect() const;

  double CpuSeconds() const;  // Of all its threads, since its start.
  int64_t ResidentBytes() const;
  int64_t Threads() const;

 private:
  CoordinatorProcess(std::string program, std::string folder)
      : program_(std::move(program)), folder_(std::move(folder)) {}
  absl::Status Launch();
  void Kill();
  int64_t StatusNumber(const std::string& key) const;

  const std::string program_, folder_;
  std::string address_;
  pid_t pid_ = -1;
};

}  // namespace ridgeline
