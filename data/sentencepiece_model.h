// SPDX-License-Identifier: Apache-2.0
// libsentencepiece behind standard types only, in a module of its own (libridgeline_sentencepiece.so): the library
// exports a copy of protobuf, which in one symbol space with the real one crashes the process before main.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ridgeline {

// Immutable; thread-safe.
class SentencePieceModel {
 public:
  virtual ~SentencePieceModel() = default;
  // Appends. False and *unknown_offset set to the byte where the vocabulary has no piece.
  virtual bool Encode(std::string_view text, std::vector<uint32_t>* ids, size_t* unknown_offset) const = 0;
};

// Loads the module at the first call. Null and *error set if that fails, or if the library refuses the model.
// REQUIRES: WriteSentencePieceModel wrote `serialized` for a vocabulary that passed its check: the library trusts it.
std::unique_ptr<SentencePieceModel> LoadSentencePieceModel(std::string_view serialized, std::string* error);

// What the module exports under the name kSentencePieceEntry; the caller owns the result.
using SentencePieceEntry = SentencePieceModel* (*)(std::string_view serialized, std::string* error);
inline constexpr char kSentencePieceEntry[] = "RidgelineLoadSentencePiece";
inline constexpr char kSentencePieceModule[] = "libridgeline_sentencepiece.so";

}  // namespace ridgeline
