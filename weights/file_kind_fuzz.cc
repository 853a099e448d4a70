// SPDX-License-Identifier: Apache-2.0
// Fuzz target for the head of any file: it may be what is wanted, or the refusal has its one form; and no more of it
// counts than is said. With RIDGELINE_FUZZ a libFuzzer program; common/fuzz_replay_test.cc replays the corpus in every
// build.
#include <cstdint>

#include "weights/file_kind.h"
#include "weights/fuzz_invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ridgeline;  // NOLINT
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (FileKind wanted :
       {FileKind::kGguf, FileKind::kSafetensors, FileKind::kJson, FileKind::kTokenizer, FileKind::kText}) {
    const absl::Status status = CheckFileKind(input, "fuzz", wanted);
    Require(status == CheckFileKind(input.substr(0, kHeadBytes), "fuzz", wanted));
    if (status.ok()) continue;
    Require(absl::IsDataLoss(status));
    Require(status.message().substr(0, 14) == "fuzz: this is ");
  }
  return 0;
}
