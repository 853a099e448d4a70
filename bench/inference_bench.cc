// SPDX-License-Identifier: Apache-2.0
// Times a model in use: a prompt, the tokens that follow it one by one, and the scoring of a text. Prints one JSON
// object; bench/inference.py runs it beside transformers.
#include <CLI/CLI.hpp>
#include <chrono>

#include "bench/copy_limit.h"
#include "bench/random_model.h"
#include "bench/report.h"
#include "common/status_macros.h"
#include "inference/generate.h"
#include "inference/score_text.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

struct Options {
  RandomModelOptions model;
  std::string dtype = "float32";
  int64_t prompt_tokens = 256;
  int64_t new_tokens = 64;
  int64_t scored_tokens = 512;  // In windows of model.seq_len.
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

// A new token reads every weight once: that, as fast as memory can be read, is the limit.
double MostNewTokensPerSecond(const LanguageModel& model) {
  const size_t bytes_of_number = c10::elementSize(model.options().compute_dtype);
  const double bytes = static_cast<double>(ParameterCount(model)) * static_cast<double>(bytes_of_number);
  return ReadBandwidth() / bytes;
}

absl::StatusOr<nlohmann::ordered_json> TimeUse(const Options& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<LanguageModel> model,
                   RandomModel(options.model, ModelOptions{.compute_dtype = DtypeOf(options.dtype)}));
  RETURN_IF_ERROR(GenerateGreedily(model.get(), options, 2).status());  // Warms caches and allocators.
  ASSIGN_OR_RETURN(const Generation generation, GenerateGreedily(model.get(), options, options.new_tokens));
  // The first of them comes from the prompt.
  const double seconds_a_token = generation.decode_seconds / static_cast<double>(options.new_tokens - 1);
  nlohmann::ordered_json result = {
      {"prompt_tokens", options.prompt_tokens},
      {"new_tokens", options.new_tokens},
      {"prompt_tokens_per_second", static_cast<double>(options.prompt_tokens) / generation.prompt_seconds},
      {"new_tokens_per_second", 1 / seconds_a_token},
      {"most_new_tokens_per_second", MostNewTokensPerSecond(*model)},
      {"parameters", ParameterCount(*model)},
      {"threads", at::get_num_threads()}};
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
  app.add_option("--layers", options.model.layers, "Of a Gemma shape; 0: as the shape has");
  app.add_option("--dtype", options.dtype)->check(CLI::IsMember({"float32", "bfloat16"}));
  app.add_option("--prompt-tokens", options.prompt_tokens)->check(CLI::PositiveNumber);
  app.add_option("--new-tokens", options.new_tokens)->check(CLI::Range(2, 1000000));
  app.add_option("--scored-tokens", options.scored_tokens)->check(CLI::PositiveNumber);
  app.add_option("--seq-len", options.model.seq_len, "Tokens of a scored window, and the positions of a GPT")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  return ridgeline::PrintJson(ridgeline::TimeUse(options));
}
