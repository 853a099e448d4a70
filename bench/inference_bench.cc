// SPDX-License-Identifier: Apache-2.0
// Times a model in use: a prompt, the tokens that follow it one by one, and the scoring of a text. Prints one JSON
// object; bench/inference.py runs it beside transformers, bench/packed.py with real weights beside llama.cpp.
#include <CLI/CLI.hpp>
#include <chrono>

#include "bench/copy_limit.h"
#include "bench/random_model.h"
#include "bench/report.h"
#include "common/status_macros.h"
#include "inference/generate.h"
#include "inference/loaded_model.h"
#include "inference/score_text.h"
#include "quant/autograd/torch_pch.h"
#include "quant/packed/packed_matrix.h"

namespace ridgeline {
namespace {

struct Options {
  RandomModelOptions model;
  std::string path;  // Of a model with real weights, or its name; empty: random ones.
  std::string dtype = "float32";
  int64_t prompt_tokens = 256;
  int64_t new_tokens = 64;
  int64_t scored_tokens = 512;  // In windows of model.seq_len. 0: none.
};

std::vector<uint32_t> RandomTokens(const LanguageModel& model, int64_t count) {
  const at::Tensor tokens = at::randint(model.vocab_size(), {count}, at::kLong);
  const int64_t* begin = tokens.const_data_ptr<int64_t>();
  return {begin, begin + count};
}

absl::StatusOr<Generation> GenerateGreedily(LanguageModel* model, const Options& options, int64_t new_tokens) {
  const GenerationOptions greedy{.sampling = {.temperature = 0}, .max_new_tokens = new_tokens};
  return Generate(model, RandomTokens(*model, options.prompt_tokens), greedy, [](uint32_t) { return true; });
}

// Every token but the first is scored.
absl::StatusOr<nlohmann::ordered_json> TimeScoring(LanguageModel* model, const Options& options) {
  const std::vector<uint32_t> tokens = RandomTokens(*model, options.scored_tokens + 1);
  const auto begin = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const TextScore score, ScoreTokens(model, tokens, {.seq_len = options.model.seq_len}));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return nlohmann::ordered_json{{"loss", score.loss},
                                {"scored_tokens", score.tokens},
                                {"scored_tokens_per_second", static_cast<double>(score.tokens) / seconds.count()}};
}

absl::StatusOr<std::unique_ptr<LanguageModel>> ModelOf(const Options& options) {
  if (!options.path.empty()) return LoadForInference(options.path, options.dtype);
  return RandomModel(options.model, ModelOptions{.compute_dtype = DtypeOf(options.dtype)});
}

// Also of those whose masters are gone.
int64_t ParametersOf(const LanguageModel& model) {
  int64_t count = 0;
  for (const Parameter& parameter : model.parameters()) count += parameter.shape->elements();
  return count;
}

// Of what a model computes with: codes, or numbers of its type.
int64_t BytesOf(const LanguageModel& model) {
  int64_t bytes = 0;
  for (const Parameter& parameter : model.parameters())
    bytes += parameter.packed != nullptr ? parameter.packed->bytes() : static_cast<int64_t>(parameter.compute.nbytes());
  return bytes;
}

absl::StatusOr<nlohmann::ordered_json> TimeUse(const Options& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<LanguageModel> model, ModelOf(options));
  RETURN_IF_ERROR(GenerateGreedily(model.get(), options, 2).status());  // Warms caches and allocators.
  ASSIGN_OR_RETURN(const Generation generation, GenerateGreedily(model.get(), options, options.new_tokens));
  // The first of them comes from the prompt.
  const double seconds_a_token = generation.decode_seconds / static_cast<double>(options.new_tokens - 1);
  nlohmann::ordered_json result = {
      {"prompt_tokens", options.prompt_tokens},
      {"new_tokens", options.new_tokens},
      {"prompt_tokens_per_second", static_cast<double>(options.prompt_tokens) / generation.prompt_seconds},
      {"new_tokens_per_second", 1 / seconds_a_token},
      // A new token reads every weight once: that, as fast as memory can be read, is the limit.
      {"most_new_tokens_per_second", ReadBandwidth() / static_cast<double>(BytesOf(*model))},
      {"bytes", BytesOf(*model)},
      {"parameters", ParametersOf(*model)},
      {"threads", at::get_num_threads()}};
  if (options.scored_tokens == 0) return result;
  ASSIGN_OR_RETURN(const nlohmann::ordered_json scoring, TimeScoring(model.get(), options));
  result.update(scoring);
  return result;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  CLI::App app("Times generation and scoring of one configuration");
  ridgeline::Options options;
  app.add_option("--model", options.model.name, ridgeline::kRandomModelNames);
  app.add_option("--path", options.path, "A model with real weights, or its name, in place of random ones");
  app.add_option("--layers", options.model.layers, "Of a Gemma shape; 0: as the shape has");
  app.add_option("--dtype", options.dtype)->check(CLI::IsMember({"float32", "bfloat16"}));
  app.add_option("--prompt-tokens", options.prompt_tokens)->check(CLI::PositiveNumber);
  app.add_option("--new-tokens", options.new_tokens)->check(CLI::Range(2, 1000000));
  app.add_option("--scored-tokens", options.scored_tokens, "0: none")->check(CLI::NonNegativeNumber);
  app.add_option("--seq-len", options.model.seq_len, "Tokens of a scored window, and the positions of a GPT")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  return ridgeline::PrintJson(ridgeline::TimeUse(options));
}
