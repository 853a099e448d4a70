// SPDX-License-Identifier: Apache-2.0
// `generate`: text to standard output as it comes.
#include <cstdio>

#include "common/exit_code.h"
#include "common/interrupt.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "data/stream_decoder.h"
#include "fmt/format.h"
#include "inference/generate.h"
#include "inference/loaded_model.h"
#include "inference/status_line.h"
#include "inference/verbs.h"
#include "nlohmann/json.hpp"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

double TokensPerSecond(const Generation& generation) {
  if (generation.ids.size() < 2 || generation.decode_seconds <= 0) return 0;
  return static_cast<double>(generation.ids.size() - 1) / generation.decode_seconds;
}

void PrintSpeed(const Generation& generation, size_t prompt_tokens, const StatusLine& status) {
  if (!status.is_shown()) return;
  PrintErr("{} tokens, {:.1f} tokens/s; the prompt's {} tokens took {:.2f} s\n", generation.ids.size(),
           TokensPerSecond(generation), prompt_tokens, generation.prompt_seconds);
}

void PrintJson(const std::string& prompt, const std::string& text, size_t prompt_tokens, const Generation& generation) {
  const nlohmann::ordered_json json = {{"prompt", prompt},
                                       {"text", text},
                                       {"prompt_tokens", prompt_tokens},
                                       {"tokens", generation.ids.size()},
                                       {"ids", generation.ids},
                                       {"end", generation.end},
                                       {"prompt_seconds", generation.prompt_seconds},
                                       {"tokens_per_second", TokensPerSecond(generation)}};
  WriteOut(json.dump(2) + "\n");
}

GenerationOptions ToGeneration(const GenerateOptions& options, const Tokenizer& tokenizer) {
  GenerationOptions generation{
      .sampling = {.temperature = options.temperature, .top_k = options.top_k, .seed = options.seed},
      .max_new_tokens = options.max_new_tokens,
      .vocab_size = tokenizer.vocab_size()};
  if (options.stop_at_eos) generation.eos_id = tokenizer.special_tokens().eos_id;
  return generation;
}

// A decoder that is past the prompt: a tokenizer may join what follows to it.
absl::StatusOr<StreamDecoder> DecoderAfter(const Tokenizer& tokenizer, const std::vector<uint32_t>& prompt) {
  StreamDecoder decoder(tokenizer);
  for (uint32_t id : prompt) RETURN_IF_ERROR(decoder.Add(id).status());
  decoder.Finish();
  return decoder;
}

}  // namespace

absl::StatusOr<int> RunGenerate(const GenerateOptions& options) {
  std::string prompt;
  if (options.prompt) {
    prompt = *options.prompt;
  } else {
    ASSIGN_OR_RETURN(prompt, ReadText(options.prompt_file));
  }
  StatusLine status;
  status.Show("loading the model");
  ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, LoadTokenizerOf(options.model, options.tokenizer));
  ASSIGN_OR_RETURN(const std::vector<uint32_t> ids, EncodePrompt(*tokenizer, prompt));
  ASSIGN_OR_RETURN(const std::unique_ptr<LanguageModel> model, LoadForInference(options.model, options.dtype));
  ASSIGN_OR_RETURN(StreamDecoder decoder, DecoderAfter(*tokenizer, ids));
  status.Clear();
  CatchInterrupts();
  const bool streams = options.format == "text";
  std::string text;
  auto take = [&](const std::string& piece) {
    if (streams)
      WriteOut(piece);
    else
      text += piece;
  };
  ASSIGN_OR_RETURN(const Generation generation,
                   Generate(model.get(), ids, ToGeneration(options, *tokenizer), [&](uint32_t id) {
                     take(decoder.Add(id).value());  // Only ids of the vocabulary are chosen.
                     return !Interrupted() && FlushOut().ok();
                   }));
  RETURN_IF_ERROR(FlushOut());
  take(decoder.Finish());
  if (streams)
    WriteOut("\n");
  else
    PrintJson(prompt, text, ids.size(), generation);
  PrintSpeed(generation, ids.size(), status);
  return generation.end == "interrupted" ? kExitDetached : kExitOk;
}

}  // namespace ridgeline
