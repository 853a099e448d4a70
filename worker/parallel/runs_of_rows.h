// SPDX-License-Identifier: Apache-2.0
// A model's parameters cut into runs of rows that a thread works through one after the other: what it does to a run
// twice finds it in the cache the second time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "model/language_model.h"

namespace ridgeline {

struct RunOfRows {
  size_t parameter;  // Its place among the model's.
  int64_t begin_row, end_row;
  int64_t begin, count;  // Its numbers, within the parameter.
};

// Of every parameter, in their order; the same whatever the number of threads.
std::vector<RunOfRows> RunsOfRows(const LanguageModel& model);

// Calls work(i) for the place i of each run, on LibTorch's threads.
void ForRunsOfRows(const std::vector<RunOfRows>& runs, const std::function<void(size_t i)>& work);

}  // namespace ridgeline
