// SPDX-License-Identifier: Apache-2.0
// A prepared dataset: a folder with dataset.json (name, tokenizer, split, hashes), one token file a split, and the
// tokenizer's own file where its vocabulary is large.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/text_documents.h"
#include "data/tokenizer.h"

namespace ridgeline {

struct PrepareOptions {
  std::vector<std::string> texts;  // Files, folders, patterns; "-" reads standard input (data/text_inputs.h).
  DocumentOptions documents;
  std::string out_dir;
  std::string name;                // Empty: the stem of the first text that is named.
  std::string tokenizer = "char";  // "char", or a path for LoadTokenizerFrom.
  double train_fraction = 0.9;     // The first part by position trains, the rest validates.
  int threads = 0;                 // That tokenize; 0: all cores. They change nothing in what is written.
  std::function<void(double fraction, const std::string& what)> progress;  // May be empty.
};

struct DatasetSource {
  std::string path;  // As it was named or found.
  int64_t bytes = 0;
  std::string sha256;
  int64_t documents = 0;
};

struct DatasetInfo {
  std::string name;
  std::string tokenizer_kind;
  std::string tokenizer_sha256;  // TokenizerHash (data/same_tokenizer.h)
  int64_t vocab_size = 0;
  int64_t train_tokens = 0;
  int64_t validation_tokens = 0;
  double train_fraction = 0;
  std::string text_sha256;
  std::string train_sha256;  // Of the token files.
  std::string validation_sha256;
  std::vector<DatasetSource> sources;  // Empty in datasets from before there were several.
  int64_t documents = 0;               // Each between the tokenizer's marks; 0: one text without any.
  int64_t skipped = 0;                 // Lines that held no document.
  std::string first_skipped;           // What was wrong with the first; known to who prepared it alone, as the next.
  bool dropped_byte_order_mark = false;
};

// Writes the folder; an existing dataset there is replaced only when the new one is complete.
absl::StatusOr<DatasetInfo> PrepareDataset(const PrepareOptions& options);

// Memory-mapped tokens. Immutable and thread-safe.
class Dataset {
 public:
  // Checks header, size and vocabulary bounds of both token files against dataset.json; DATA_LOSS or NOT_FOUND say
  // which file is wrong and how to make it again. Hashes are checked with verify_hashes.
  static absl::StatusOr<std::unique_ptr<Dataset>> Open(const std::string& dir, bool verify_hashes = false);
  virtual ~Dataset() = default;
  virtual const DatasetInfo& info() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  // Token ids are stored in 32 bits.
  virtual std::span<const uint32_t> train() const = 0;
  virtual std::span<const uint32_t> validation() const = 0;
};

}  // namespace ridgeline
