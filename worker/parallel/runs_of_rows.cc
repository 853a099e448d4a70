// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/runs_of_rows.h"

#include <algorithm>

#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// Master, moments and gradient of a run take at most 1 MiB: they fit the cache of a core.
constexpr int64_t kNumbersPerRun = int64_t{1} << 16;

}  // namespace

std::vector<RunOfRows> RunsOfRows(const LanguageModel& model) {
  std::vector<RunOfRows> runs;
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    const Parameter& parameter = model.parameters()[i];
    const int64_t rows = parameter.master.size(0), length = parameter.row_length();
    const int64_t rows_per_run =
        model.ops().cuts_rows() ? std::max<int64_t>(1, kNumbersPerRun / length) : std::max<int64_t>(1, rows);
    for (int64_t begin = 0; begin < rows; begin += rows_per_run) {
      const int64_t end = std::min(rows, begin + rows_per_run);
      runs.push_back({i, begin, end, {begin * length, (end - begin) * length}});
    }
  }
  return runs;
}

void ForRunsOfRows(const Ops& ops, const std::vector<RunOfRows>& runs, const std::function<void(size_t i)>& work) {
  if (!ops.cuts_rows()) {
    for (size_t i = 0; i < runs.size(); ++i) work(i);
    return;
  }
  at::parallel_for(0, static_cast<int64_t>(runs.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) work(static_cast<size_t>(i));
  });
}

}  // namespace ridgeline
