// SPDX-License-Identifier: Apache-2.0
// The bytes of a dataset: dataset.json and the token files (docs: the layout below is the format's definition).
// Pure functions over untrusted bytes; all are fuzzed (dataset_fuzz.cc).
//
// Token file, little endian: magic "RDGTOKEN" (8 bytes), version u32, bytes a token u32 (4), token count u64,
// vocabulary size u64, zeros up to 64 bytes; then the ids, u32 each. The header's size keeps mapped ids aligned.
// dataset.json names no files: they are always train.tokens and validation.tokens beside it, and for tokenizers that
// need one the file TokenizerFileName says.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/dataset.h"

namespace ridgeline {

inline constexpr char kDatasetFile[] = "dataset.json";
inline constexpr char kTrainFile[] = "train.tokens";
inline constexpr char kValidationFile[] = "validation.tokens";
inline constexpr size_t kTokenHeaderBytes = 64;

struct DatasetManifest {
  DatasetInfo info;
  std::unique_ptr<Tokenizer> tokenizer;
};

std::string DatasetManifestToJson(const DatasetInfo& info, const Tokenizer& tokenizer);

// `read_file` gives the content of the tokenizer's file; it is called at most once. INVALID_ARGUMENT or DATA_LOSS with
// the key or the part of the tokenizer that is wrong, or what read_file said.
using ReadTokenizerFile = std::function<absl::StatusOr<std::string>(const std::string& name)>;
absl::StatusOr<DatasetManifest> ParseDatasetManifest(const std::string& json, const ReadTokenizerFile& read_file);

std::string EncodeTokenFile(std::span<const uint32_t> ids, int64_t vocab_size);

// The ids inside `bytes`, which must outlive them. INVALID_ARGUMENT unless header, size, count and every id agree
// with the manifest's figures. REQUIRES: bytes.data() is aligned to 4.
absl::StatusOr<std::span<const uint32_t>> ParseTokenFile(std::string_view bytes, int64_t tokens, int64_t vocab_size);

// A dataset's name is text for people: printable UTF-8 of 1 to 200 bytes without '/'.
absl::Status CheckDatasetName(const std::string& name);

}  // namespace ridgeline
