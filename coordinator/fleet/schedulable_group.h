// SPDX-License-Identifier: Apache-2.0
// A connected worker group, as the scheduler sees it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "ridgeline/v1/worker.pb.h"

namespace ridgeline {

struct SchedulableGroup {
  std::string id;
  int ranks = 0;
  bool idle = false;
  std::string device;                         // "cpu" or "cuda", of every rank; empty: they differ, or it has not said.
  int64_t rank_memory_bytes = 0;              // Of the rank that has least; 0: it has not said.
  std::map<std::string, std::string> labels;  // What resources.labels asks for.

  bool operator==(const SchedulableGroup&) const = default;
};

// Device and memory that every rank has; an older worker does not say them.
SchedulableGroup AsSchedulable(const v1::Hello& hello, bool idle);

}  // namespace ridgeline
