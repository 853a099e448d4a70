// SPDX-License-Identifier: Apache-2.0
// The documents of a file: a plain text is one, JSON lines (.jsonl, .ndjson) have one a line; either may be compressed
// (.gz, .zst, .xz).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

struct DocumentOptions {
  std::string field = "text";                  // Of JSON lines.
  bool json_lines = false;                     // Also what is not called so, standard input for instance.
  bool skip_invalid = false;                   // Lines that hold no document are counted instead.
  int64_t max_line_bytes = int64_t{64} << 20;  // Of JSON lines.
};

struct Documents {
  std::vector<std::string> texts;  // UTF-8.
  bool is_lines = false;           // Out of JSON lines.
  int64_t bytes = 0;               // Of the file, as it lies.
  std::string sha256;              // The same.
  bool dropped_byte_order_mark = false;
  int64_t skipped = 0;        // Lines that hold no document.
  std::string first_skipped;  // What was wrong with the first.
};

// "-" is standard input. Errors name the file, the line and what is wrong: not UTF-8, no JSON object, no such field, a
// zero byte, a line that is too long, an archive.
absl::StatusOr<Documents> ReadDocuments(const std::string& path, const DocumentOptions& options);

// The same over bytes that are there; `name` tells what they are by its ending, and is for messages. Safe on any input.
absl::StatusOr<Documents> ParseDocuments(const std::string& name, std::string bytes, const DocumentOptions& options);

}  // namespace ridgeline
