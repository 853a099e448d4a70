// SPDX-License-Identifier: Apache-2.0
// Writes GGUF version 3, little endian, without holding more of the model than one piece.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file_writer.h"
#include "weights/declared_tensors.h"
#include "weights/gguf.h"

namespace ridgeline {

// Keys and typed values; setting a key again replaces it. One thread at a time.
class GgufMetadata {
 public:
  void SetString(const std::string& key, std::string_view value);
  void SetUint32(const std::string& key, uint32_t value);
  void SetUint64(const std::string& key, uint64_t value);
  void SetInt32(const std::string& key, int32_t value);
  void SetFloat(const std::string& key, float value);
  void SetBool(const std::string& key, bool value);
  void SetStringArray(const std::string& key, std::span<const std::string_view> values);
  void SetFloatArray(const std::string& key, std::span<const float> values);
  void SetInt32Array(const std::string& key, std::span<const int32_t> values);

  // Every value of `file` whose key begins with `prefix`, as it is stored ("tokenizer." takes the tokenizer along).
  // general.alignment is left out: it belongs to the file.
  void CopyFrom(const GgufFile& file, std::string_view prefix);

  // Key to type and value as they stand in a file.
  const std::map<std::string, std::string>& encoded() const { return encoded_; }

 private:
  std::map<std::string, std::string> encoded_;
};

// One thread at a time. The file appears under its name only in Finish(), flushed to the disk; a writer that is
// destroyed earlier leaves nothing behind.
class GgufWriter {
 public:
  // Tensors begin at multiples of 32 bytes. INVALID_ARGUMENT for names that are empty, repeat, are not UTF-8 or too
  // long for llama.cpp (63 bytes), more than four dimensions, rows that are not whole blocks, and types that the
  // format lacks; RESOURCE_EXHAUSTED when the disk is full.
  static absl::StatusOr<std::unique_ptr<GgufWriter>> Create(const std::string& path, const GgufMetadata& metadata,
                                                            std::vector<TensorDeclaration> tensors);
  // The next piece of `name`, whose turn it is by the order of declaration; it may come in any number of pieces.
  // FAILED_PRECONDITION if it is another tensor's turn or the piece is too long.
  absl::Status Append(std::string_view name, std::string_view bytes);

  // FAILED_PRECONDITION if bytes of a tensor are missing.
  absl::Status Finish();

 private:
  GgufWriter(FileWriter file, DeclaredTensors tensors) : file_(std::move(file)), tensors_(std::move(tensors)) {}
  absl::Status Pad();

  FileWriter file_;
  DeclaredTensors tensors_;
  size_t current_ = 0;  // The tensor that the last piece belonged to
};

}  // namespace ridgeline
