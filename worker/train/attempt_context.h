// SPDX-License-Identifier: Apache-2.0
// What the parts of an attempt share: its assignment, its group, and where it tells what goes on.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "comm/communicator.h"
#include "ridgeline/v1/worker.pb.h"
#include "worker/train/reporter.h"
#include "worker/train/run_observer.h"

namespace ridgeline {

// Each rank's attempt owns one; used by its thread alone. Assignment, communicator and observer must outlive it.
class AttemptContext {
 public:
  // The observer is null on ranks other than 0.
  AttemptContext(const v1::Assign& assignment, Communicator& communicator, const std::string& work_dir,
                 RunObserver* observer);
  AttemptContext(const AttemptContext&) = delete;
  AttemptContext& operator=(const AttemptContext&) = delete;

  // AgreeThatAllSucceeded, with what each rank has to say about its own failure.
  absl::Status Agree(const absl::Status& mine, const char* what);

  // Another group may see the same storage at another place.
  std::string PathFromWorkFolder(const std::string& path) const;

  bool is_root() const { return communicator.rank() == 0; }
  const v1::Recipe& recipe() const { return assignment.recipe(); }
  int64_t tokens_per_step() const {
    return int64_t{recipe().training().global_batch_size()} * recipe().training().seq_len();
  }

  const v1::Assign& assignment;
  Communicator& communicator;
  const std::string work_dir;
  RunObserver* const observer;
  Reporter reporter;
};

}  // namespace ridgeline
