// SPDX-License-Identifier: Apache-2.0
// Fuzz target for the CSV reader: what it accepts, it writes and reads back unchanged.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "frontier/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto points = ridgeline::FrontierFromCsv(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!points.ok()) return 0;
  std::string csv = ridgeline::FrontierToCsv(*points);
  auto again = ridgeline::FrontierFromCsv(csv);
  if (!again.ok() || again->size() != points->size() || ridgeline::FrontierToCsv(*again) != csv) std::abort();
  return 0;
}
