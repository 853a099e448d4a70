// SPDX-License-Identifier: Apache-2.0
// libsentencepiece behind standard types only: its header declares an absl::string_view of its own, which clashes
// with Debian's absl, so no file may include both.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ridgeline {

// Immutable after Load; thread-safe.
class SentencePieceModel {
 public:
  // Null and *error set if the bytes are not a model.
  static std::unique_ptr<SentencePieceModel> Load(std::string_view serialized, std::string* error);
  ~SentencePieceModel();

  int64_t size() const;
  // False and *unknown_offset set to the byte where the vocabulary has no piece.
  bool Encode(std::string_view text, std::vector<uint32_t>* ids, size_t* unknown_offset) const;
  // REQUIRES: each id < size().
  std::string Decode(const std::vector<uint32_t>& ids) const;

 private:
  struct Impl;
  explicit SentencePieceModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ridgeline
