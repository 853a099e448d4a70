// SPDX-License-Identifier: Apache-2.0
#include "inference/generate.h"

#include <chrono>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

absl::Status CheckPrompt(const LanguageModel& model, const std::vector<uint32_t>& prompt) {
  if (prompt.empty())
    return absl::InvalidArgumentError("the prompt is empty, and this model's texts have no token to begin with");
  const int64_t length = static_cast<int64_t>(prompt.size());
  if (length > model.max_length())
    return absl::InvalidArgumentError(
        fmt::format("the prompt has {} tokens, the model {} positions", length, model.max_length()));
  for (uint32_t id : prompt)
    if (id >= model.vocab_size())
      return absl::InvalidArgumentError(
          fmt::format("the tokenizer gives the token {}, but the model has {}: it is another model's tokenizer", id,
                      model.vocab_size()));
  return absl::OkStatus();
}

// (V) float32
at::Tensor NextLogits(LanguageModel* model, const std::vector<uint32_t>& ids, KvCache* cache) {
  const std::vector<int64_t> wide(ids.begin(), ids.end());
  return model->NextLogits(at::tensor(wide, at::kLong).unsqueeze(0), cache).flatten();
}

}  // namespace

absl::StatusOr<Generation> Generate(LanguageModel* model, const std::vector<uint32_t>& prompt,
                                    const GenerationOptions& options, const std::function<bool(uint32_t)>& on_token) {
  RETURN_IF_ERROR(CheckPrompt(*model, prompt));
  const int64_t vocab_size =
      options.vocab_size > 0 ? std::min(options.vocab_size, model->vocab_size()) : model->vocab_size();
  Sampler sampler(options.sampling);
  KvCache cache;
  Generation result{.end = "length"};
  SteadyClock::time_point start = SteadyClock::now();
  at::Tensor logits = NextLogits(model, prompt, &cache);
  result.prompt_seconds = SecondsSince(start);
  start = SteadyClock::now();
  for (;;) {
    ASSIGN_OR_RETURN(const uint32_t id,
                     sampler.Choose(std::span(logits.const_data_ptr<float>(), static_cast<size_t>(vocab_size))));
    if (options.eos_id == id) {
      result.end = "eos";
      break;
    }
    result.ids.push_back(id);
    if (!on_token(id)) {
      result.end = "interrupted";
      break;
    }
    if (static_cast<int64_t>(result.ids.size()) >= options.max_new_tokens) break;
    if (cache.length >= model->max_length()) {
      result.end = "context";
      break;
    }
    logits = NextLogits(model, {id}, &cache);
  }
  result.decode_seconds = SecondsSince(start);
  return result;
}

}  // namespace ridgeline
