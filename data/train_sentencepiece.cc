// SPDX-License-Identifier: Apache-2.0
#include "data/train_sentencepiece.h"

#include <sentencepiece_trainer.h>

namespace ridgeline {

std::string TrainSentencePiece(const std::string& text_path, const std::string& prefix, int vocab_size,
                               const std::string& normalizer) {
  auto status = sentencepiece::SentencePieceTrainer::Train({{"input", text_path},
                                                            {"model_prefix", prefix},
                                                            {"vocab_size", std::to_string(vocab_size)},
                                                            {"byte_fallback", "true"},
                                                            {"normalization_rule_name", normalizer},
                                                            {"remove_extra_whitespaces", "false"},
                                                            {"minloglevel", "2"}});
  return status.ok() ? "" : status.ToString();
}

}  // namespace ridgeline
