// SPDX-License-Identifier: Apache-2.0
// Steps and evaluations without a finite number: what a run bears, and how it fails. Every failure's message begins
// with NONFINITE, says at which step, and what to do.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "worker/train/evaluate.h"

namespace ridgeline {

// Steps that were skipped because loss or gradient was not finite. Part of a checkpoint, so that a resumed run fails
// where an undisturbed one does.
struct SkippedSteps {
  int64_t total = 0;
  int64_t in_a_row = 0;  // Up to the last step that was done.

  void Count(bool finite);
};

// After each step: a run is given up after twenty skipped steps in a row.
absl::Status CheckGoesOn(const SkippedSteps& skipped, int64_t step);

// After the last step: a run whose last step was skipped has not been trained to its end.
absl::Status CheckEnded(const SkippedSteps& skipped, int64_t step);

// Whether a held-out text has a finite loss; `text` says which.
absl::Status CheckFinite(const Evaluation& evaluation, const char* text, int64_t step);

}  // namespace ridgeline
