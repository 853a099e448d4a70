// SPDX-License-Identifier: Apache-2.0
// What a benchmark leaves: rows of ours against a peer or a limit, as a table on standard output and as JSON; or, where
// a script compares processes, one JSON object.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace ridgeline {

struct BenchRow {
  std::string work;
  double ours = 0;
  double peer = 0;
  std::string peer_name;
  double limit = 0;  // 0: none is known
  bool higher_is_better = true;
  double goal = 0;  // Of the ratio, in which more is better; 0: none is set
  std::string unit;

  // How many times better than the peer.
  double ratio() const { return higher_is_better ? ours / peer : peer / ours; }
};

// Medians of both sides' seconds, run in turn (A B B A ...) so that a machine that speeds up or slows down meets both.
struct PairedSeconds {
  double ours = 0;
  double peer = 0;
};
PairedSeconds MeasurePaired(const std::function<void()>& ours, const std::function<void()>& peer, int rounds = 7);

// Writes out_dir/name.json and prints the table.
absl::Status Report(const std::string& out_dir, const std::string& name, const std::vector<BenchRow>& rows);

// Prints the object as the last line of standard output, or the error. Returns the program's exit code.
int PrintJson(const absl::StatusOr<nlohmann::ordered_json>& result);

}  // namespace ridgeline
