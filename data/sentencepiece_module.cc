// SPDX-License-Identifier: Apache-2.0
// The module libridgeline_sentencepiece.so: the only code that sees libsentencepiece.
#include <sentencepiece_processor.h>

#include <exception>

#include "data/sentencepiece_model.h"

namespace {

class ProcessorModel : public ridgeline::SentencePieceModel {
 public:
  std::string Load(std::string_view serialized) {
    auto status = processor_.LoadFromSerializedProto(serialized);
    return status.ok() ? "" : status.ToString();
  }

  bool Encode(std::string_view text, std::vector<uint32_t>* ids, size_t* unknown_offset) const override {
    for (int id : processor_.EncodeAsIds(text)) {
      if (processor_.IsUnknown(id)) {
        *unknown_offset = UnknownOffset(text);
        return false;
      }
      ids->push_back(static_cast<uint32_t>(id));
    }
    return true;
  }

 private:
  // Offsets cost the library another copy of the text: only errors ask for them.
  size_t UnknownOffset(std::string_view text) const {
    auto pieces = processor_.EncodeAsImmutableProto(text);
    for (size_t i = 0; i < pieces.pieces_size(); ++i) {
      auto piece = pieces.pieces(static_cast<int>(i));
      if (processor_.IsUnknown(static_cast<int>(piece.id()))) return piece.begin();
    }
    return 0;
  }

  sentencepiece::SentencePieceProcessor processor_;
};

}  // namespace

extern "C" ridgeline::SentencePieceModel* RidgelineLoadSentencePiece(std::string_view serialized, std::string* error) {
  // The library's trie throws; no exception may leave the module.
  try {
    auto model = std::make_unique<ProcessorModel>();
    *error = model->Load(serialized);
    return error->empty() ? model.release() : nullptr;
  } catch (const std::exception& exception) {
    *error = exception.what();
    return nullptr;
  }
}
