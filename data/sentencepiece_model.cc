// SPDX-License-Identifier: Apache-2.0
#include "data/sentencepiece_model.h"

#include <sentencepiece_processor.h>

namespace ridgeline {

struct SentencePieceModel::Impl {
  sentencepiece::SentencePieceProcessor processor;
};

SentencePieceModel::SentencePieceModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SentencePieceModel::~SentencePieceModel() = default;

std::unique_ptr<SentencePieceModel> SentencePieceModel::Load(std::string_view serialized, std::string* error) {
  auto impl = std::make_unique<Impl>();
  auto status = impl->processor.LoadFromSerializedProto(serialized);
  if (!status.ok()) {
    *error = status.ToString();
    return nullptr;
  }
  return std::unique_ptr<SentencePieceModel>(new SentencePieceModel(std::move(impl)));
}

int64_t SentencePieceModel::size() const { return impl_->processor.GetPieceSize(); }

bool SentencePieceModel::Encode(std::string_view text, std::vector<uint32_t>* ids, size_t* unknown_offset) const {
  auto pieces = impl_->processor.EncodeAsImmutableProto(text);
  ids->reserve(pieces.pieces_size());
  for (size_t i = 0; i < pieces.pieces_size(); ++i) {
    auto piece = pieces.pieces(static_cast<int>(i));
    if (impl_->processor.IsUnknown(static_cast<int>(piece.id()))) {
      *unknown_offset = piece.begin();
      return false;
    }
    ids->push_back(piece.id());
  }
  return true;
}

std::string SentencePieceModel::Decode(const std::vector<uint32_t>& ids) const {
  return impl_->processor.DecodeIds(std::vector<int>(ids.begin(), ids.end()));
}

}  // namespace ridgeline
