// SPDX-License-Identifier: Apache-2.0
// The module libridgeline_sentencepiece.so: the only code that sees libsentencepiece.
#include <sentencepiece_processor.h>

#include "data/sentencepiece_model.h"

namespace {

class ProcessorModel : public ridgeline::SentencePieceModel {
 public:
  std::string Load(std::string_view serialized) {
    auto status = processor_.LoadFromSerializedProto(serialized);
    return status.ok() ? "" : status.ToString();
  }

  int64_t size() const override { return processor_.GetPieceSize(); }

  bool Encode(std::string_view text, std::vector<uint32_t>* ids, size_t* unknown_offset) const override {
    auto pieces = processor_.EncodeAsImmutableProto(text);
    ids->reserve(pieces.pieces_size());
    for (size_t i = 0; i < pieces.pieces_size(); ++i) {
      auto piece = pieces.pieces(static_cast<int>(i));
      if (processor_.IsUnknown(static_cast<int>(piece.id()))) {
        *unknown_offset = piece.begin();
        return false;
      }
      ids->push_back(piece.id());
    }
    return true;
  }

  std::string Decode(const std::vector<uint32_t>& ids) const override {
    return processor_.DecodeIds(std::vector<int>(ids.begin(), ids.end()));
  }

 private:
  sentencepiece::SentencePieceProcessor processor_;
};

}  // namespace

extern "C" ridgeline::SentencePieceModel* RidgelineLoadSentencePiece(std::string_view serialized, std::string* error) {
  auto model = std::make_unique<ProcessorModel>();
  *error = model->Load(serialized);
  return error->empty() ? model.release() : nullptr;
}
