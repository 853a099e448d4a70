// SPDX-License-Identifier: Apache-2.0
// What a rank's memory is for, said before the first step.
#pragma once

#include <cstdint>
#include <string>

#include "model/language_model.h"
#include "plan/memory.h"
#include "worker/parallel/strategy.h"

namespace ridgeline {

// Bytes that are there for as long as the rank trains, counted tensor by tensor.
struct KeptMemory {
  int64_t masters = 0;  // Of parameters that this rank has.
  int64_t copies = 0;   // What layers compute with beside them, and what quantizers save.
  int64_t gradients = 0;
  int64_t optimizer = 0;
  int64_t teacher = 0;

  int64_t total() const { return masters + copies + gradients + optimizer + teacher; }
};

// `teacher`: null without one.
KeptMemory KeptMemoryOf(const LanguageModel& model, const Strategy& strategy, const LanguageModel* teacher);

// "memory of a rank: masters 1.0 GiB, ...", with what the plan expects to come and go in a step beside it.
std::string MemoryLine(const KeptMemory& kept, const MemoryPlan& planned);

}  // namespace ridgeline
