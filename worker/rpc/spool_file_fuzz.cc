// SPDX-License-Identifier: Apache-2.0
// Fuzz target for spools: what is accepted has a group, records in order with a job each, and is the same again when it
// is written and read. The input is taken as a whole file, and as the part behind a hash that is right. With
// RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/sha256.h"
#include "worker/rpc/spool_file.h"

namespace ridgeline {
namespace {

constexpr std::string_view kMagic = "ridgeline spool 1\n";

// What went wrong; else empty.
std::string CheckAnySpool(std::string_view bytes) {
  const absl::StatusOr<Spool> spool = ParseSpool(bytes);
  if (!spool.ok()) return absl::IsDataLoss(spool.status()) ? "" : spool.status().ToString();
  if (spool->group_id.empty() || spool->incarnation.empty()) return "nobody's";
  int64_t last = 0;
  for (const v1::WorkerMessage& record : spool->records) {
    if (record.sequence() <= last) return "records in disorder";
    last = record.sequence();
    if (!record.has_result() && !record.has_checkpoint() && !record.has_metrics()) return "a record that is none";
  }
  const absl::StatusOr<Spool> again = ParseSpool(FormatSpool(*spool));
  if (!again.ok()) return "does not read back: " + again.status().ToString();
  return FormatSpool(*again) == FormatSpool(*spool) ? "" : "reads back differently";
}

}  // namespace
}  // namespace ridgeline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  std::string failure = ridgeline::CheckAnySpool(input);
  if (failure.empty())
    failure = ridgeline::CheckAnySpool(std::string(ridgeline::kMagic) + ridgeline::Sha256Hex(input) + "\n" + input);
  if (!failure.empty()) {
    std::fprintf(stderr, "%s\n", failure.c_str());
    std::abort();
  }
  return 0;
}
