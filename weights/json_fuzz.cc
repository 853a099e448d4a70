// SPDX-License-Identifier: Apache-2.0
// Fuzz target for JSON from strangers and for the look at a file's head: what is accepted is an object that nlohmann's
// own parser reads alike, where it holds no NaN and no infinity.
// With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every build.
#include <cstdint>

#include "weights/file_kind.h"
#include "weights/fuzz_invariants.h"
#include "weights/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using nlohmann::json;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (int kind = 0; kind <= static_cast<int>(ridgeline::FileKind::kText); ++kind) {
    const absl::Status status = ridgeline::CheckFileKind(input, "fuzz", static_cast<ridgeline::FileKind>(kind));
    ridgeline::Require(status.ok() || absl::IsDataLoss(status));
  }
  const auto strict = ridgeline::ParseJsonObject(input, {.max_depth = 8});
  const auto lenient = ridgeline::ParseJsonObject(input, {.max_depth = 8, .non_finite = true});
  ridgeline::Require(strict.ok() ? strict->is_object() : absl::IsDataLoss(strict.status()));
  ridgeline::Require(lenient.ok() ? lenient->is_object() : absl::IsDataLoss(lenient.status()));
  if (!strict.ok()) return 0;
  ridgeline::Require(lenient.ok());
  const size_t mark = input.starts_with(ridgeline::kByteOrderMark) ? ridgeline::kByteOrderMark.size() : 0;
  ridgeline::Require(*strict == json::parse(input.substr(mark), nullptr, /*allow_exceptions=*/false));
  return 0;
}
