// SPDX-License-Identifier: Apache-2.0
// The bytes of a dataset: dataset.json and the token files (docs: the layout below is the format's definition).
// Pure functions over untrusted bytes; all are fuzzed (dataset_fuzz.cc).
//
// Token file, little endian: magic "RDGTOKEN" (8 bytes), version u32, bytes a token u32 (4), token count u64,
// vocabulary size u64, zeros up to 64 bytes; then the ids, u32 each. The header's size keeps mapped ids aligned.
// dataset.json names no files: they are always train.tokens and validation.tokens beside it.
#pragma once

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

// INVALID_ARGUMENT with the key that is wrong.
absl::StatusOr<DatasetManifest> ParseDatasetManifest(const std::string& json);

std::string EncodeTokenFile(std::span<const uint32_t> ids, int64_t vocab_size);

// The ids inside `bytes`, which must outlive them. INVALID_ARGUMENT unless header, size, count and every id agree
// with the manifest's figures. REQUIRES: bytes.data() is aligned to 4.
absl::StatusOr<std::span<const uint32_t>> ParseTokenFile(std::string_view bytes, int64_t tokens, int64_t vocab_size);

// A dataset's name is text for people: printable UTF-8 of 1 to 200 bytes without '/'.
absl::Status CheckDatasetName(const std::string& name);

}  // namespace ridgeline
