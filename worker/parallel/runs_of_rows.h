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
  NumberRange numbers;  // Within the parameter.
};

// Of every parameter, in their order; the same whatever the number of threads. A run is a whole parameter where the
// model's operations do not cut rows.
std::vector<RunOfRows> RunsOfRows(const LanguageModel& model);

// Calls work(i) for the place i of each run, on LibTorch's threads where the operations cut rows, else in order.
void ForRunsOfRows(const Ops& ops, const std::vector<RunOfRows>& runs, const std::function<void(size_t i)>& work);

}  // namespace ridgeline
