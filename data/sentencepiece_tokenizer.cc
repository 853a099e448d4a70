// SPDX-License-Identifier: Apache-2.0
#include "data/sentencepiece_tokenizer.h"

#include <openssl/evp.h>

#include "common/file.h"
#include "common/status_macros.h"
#include "data/sentencepiece_model.h"
#include "common/utf8.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr size_t kMaxModelBytes = size_t{1} << 28;

std::string ToBase64(const std::string& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                             reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

absl::StatusOr<std::string> FromBase64(const std::string& text) {
  if (text.size() % 4 != 0 || text.size() > kMaxModelBytes / 3 * 4)
    return absl::InvalidArgumentError(fmt::format("'model_base64' has {} characters: not base64", text.size()));
  std::string bytes(text.size() / 4 * 3, '\0');
  int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                             reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return absl::InvalidArgumentError("'model_base64' is not base64");
  size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  bytes.resize(static_cast<size_t>(size) - padding);
  return bytes;
}

class SentencePieceTokenizer : public Tokenizer {
 public:
  SentencePieceTokenizer(std::string serialized, std::unique_ptr<SentencePieceModel> model)
      : serialized_(std::move(serialized)), model_(std::move(model)) {}

  std::string kind() const override { return "sentencepiece"; }
  int64_t vocab_size() const override { return model_->size(); }

  absl::StatusOr<std::vector<uint32_t>> Encode(std::string_view text) const override {
    // libsentencepiece replaces wrong bytes silently, so they are found here.
    RETURN_IF_ERROR(Utf8ToCodePoints(text).status());
    std::vector<uint32_t> ids;
    size_t unknown_offset = 0;
    if (!model_->Encode(text, &ids, &unknown_offset)) {
      return absl::InvalidArgumentError(fmt::format(
          "the SentencePiece vocabulary has no piece for the text at byte offset {}; use a model trained with "
          "byte fallback, or one that covers this text", unknown_offset));
    }
    return ids;
  }

  absl::StatusOr<std::string> Decode(const std::vector<uint32_t>& ids) const override {
    for (uint32_t id : ids) {
      if (id >= static_cast<uint64_t>(vocab_size())) {
        return absl::InvalidArgumentError(
            fmt::format("token id {} is outside the vocabulary of {} pieces", id, vocab_size()));
      }
    }
    return model_->Decode(ids);
  }

  std::string ToJson() const override {
    return nlohmann::json{{"kind", kind()}, {"model_base64", ToBase64(serialized_)}}.dump();
  }

 private:
  std::string serialized_;
  std::unique_ptr<SentencePieceModel> model_;
};

absl::StatusOr<std::unique_ptr<Tokenizer>> FromSerialized(std::string serialized) {
  std::string error;
  auto model = LoadSentencePieceModel(serialized, &error);
  if (!model || model->size() < 1)
    return absl::InvalidArgumentError(fmt::format("not a SentencePiece model: {}", error));
  return std::make_unique<SentencePieceTokenizer>(std::move(serialized), std::move(model));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeSentencePieceTokenizer(const std::string& model_path) {
  ASSIGN_OR_RETURN(std::string serialized, ReadFile(model_path, kMaxModelBytes));
  auto tokenizer = FromSerialized(std::move(serialized));
  if (!tokenizer.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}", model_path, std::string(tokenizer.status().message())));
  }
  return tokenizer;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> SentencePieceTokenizerFromJson(const nlohmann::json& json) {
  auto model = json.find("model_base64");
  if (model == json.end() || !model->is_string())
    return absl::InvalidArgumentError("a sentencepiece tokenizer needs 'model_base64', the model file in base64");
  ASSIGN_OR_RETURN(std::string serialized, FromBase64(model->get_ref<const std::string&>()));
  return FromSerialized(std::move(serialized));
}

}  // namespace ridgeline
