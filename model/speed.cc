// SPDX-License-Identifier: Apache-2.0
#include "model/speed.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "quant/autograd/torch_pch.h"
#include "quant/packed/packed_matrix.h"

namespace ridgeline {
namespace {

constexpr size_t kFewestRuns = 3;  // A median of fewer is none.

double SecondsOf(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Over enough runs.
double MedianSeconds(double min_seconds, const std::function<void()>& work) {
  work();  // Memory is mapped and caches are filled.
  std::vector<double> seconds;
  for (double sum = 0; sum < min_seconds || seconds.size() < kFewestRuns; sum += seconds.back())
    seconds.push_back(SecondsOf(work));
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<int64_t>(seconds.size() / 2), seconds.end());
  return seconds[seconds.size() / 2];
}

// (1, count): ids from all over the vocabulary.
at::Tensor SomeTokens(const LanguageModel& model, int64_t count) {
  constexpr int64_t kStride = 7919;
  return at::arange(count, at::kLong).mul(kStride).remainder(model.vocab_size()).unsqueeze(0);
}

double BytesOf(const Parameter& weight) {
  if (weight.packed != nullptr) return static_cast<double>(weight.packed->view().layout.total_bytes());
  return static_cast<double>(weight.compute.nbytes());
}

void AddProducts(const Parameter& weight, DecodeWork* work) {
  const bool is_whole = weight.packed != nullptr && weight.packed->quantizes_inputs();
  (is_whole ? work->integer_products : work->float_products) += static_cast<double>(weight.shape->elements());
  work->weight_bytes += BytesOf(weight);
}

DecodeWork WorkOfLastToken(const LanguageModel& model, const KvCache& cache) {
  DecodeWork work;
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.shape->kind == ParameterKind::kLinear) AddProducts(parameter, &work);
    // Each head's query meets the keys, and its weights the values.
    if (parameter.shape->input == LayerInput::kMixed)
      work.float_products += 2 * static_cast<double>(cache.length * parameter.shape->columns());
  }
  AddProducts(model.head(), &work);
  for (const std::vector<at::Tensor>* kept : {&cache.keys, &cache.values})
    for (const at::Tensor& tensor : *kept) work.cache_bytes += static_cast<double>(tensor.nbytes());
  return work;
}

}  // namespace

std::function<void()> NewTokensAfterPrompt(LanguageModel* model, const Speed& tokens, KvCache* cache) {
  KvCache after_prompt;
  model->NextLogits(SomeTokens(*model, tokens.prompt_tokens), &after_prompt);
  return [model, cache, after_prompt, next = SomeTokens(*model, 1), count = tokens.new_tokens] {
    KvCache own = after_prompt;  // Its tensors are shared, and joined to new ones.
    for (int64_t i = 0; i < count; ++i) model->NextLogits(next, &own);
    if (cache != nullptr) *cache = std::move(own);
  };
}

Speed MeasureSpeed(LanguageModel* model, const SpeedOptions& options) {
  Speed speed;
  speed.new_tokens = std::clamp<int64_t>(options.new_tokens, 1, std::max<int64_t>(1, model->max_length() / 2));
  speed.prompt_tokens = std::min(options.prompt_tokens, model->max_length() - speed.new_tokens);
  const at::Tensor prompt = SomeTokens(*model, speed.prompt_tokens);
  const double prefill = MedianSeconds(options.min_seconds, [&] {
    KvCache cache;
    model->NextLogits(prompt, &cache);
  });
  KvCache cache;
  const double decode = MedianSeconds(options.min_seconds, NewTokensAfterPrompt(model, speed, &cache));
  speed.prefill_tokens_per_second = static_cast<double>(speed.prompt_tokens) / prefill;
  speed.decode_tokens_per_second = static_cast<double>(speed.new_tokens) / decode;
  speed.work = WorkOfLastToken(*model, cache);
  return speed;
}

}  // namespace ridgeline
