// SPDX-License-Identifier: Apache-2.0
#include "worker/train/schedule.h"

#include <algorithm>
#include <cmath>

namespace ridgeline {

double LearningRateAt(const v1::Recipe& recipe, int64_t step) {
  const v1::LrScheduler& schedule = recipe.lr_scheduler();
  const double peak = recipe.optimizer().lr();
  const int64_t warmup = schedule.warmup_steps(), total = recipe.training().steps();
  if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  if (schedule.decay_type() == "none") return peak;
  double progress = static_cast<double>(step - warmup) / static_cast<double>(std::max<int64_t>(1, total - warmup));
  progress = std::min(1.0, progress);
  double remaining = schedule.decay_type() == "cosine" ? 0.5 * (1 + std::cos(M_PI * progress)) : 1 - progress;
  return peak * (schedule.lr_min() + (1 - schedule.lr_min()) * remaining);
}

SparsityPattern SparsityAt(const v1::Recipe& recipe, const SparsityPattern& pattern, int64_t step) {
  const v1::Sparsity& sparsity = recipe.sparsity();
  const int64_t steps = sparsity.schedule_steps();
  if (!pattern.is_sparse() || sparsity.schedule() == "constant" || step + 1 >= steps) return pattern;
  const double left = 1 - static_cast<double>(step + 1) / static_cast<double>(steps);
  const double share = sparsity.schedule() == "cubic" ? left * left * left : left;  // Of the way back to dense.
  const int kept = pattern.n + static_cast<int>(std::ceil(share * (pattern.m - pattern.n)));
  return {.n = kept, .m = pattern.m};
}

}  // namespace ridgeline
