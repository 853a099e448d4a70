// SPDX-License-Identifier: Apache-2.0
// How fast a tokenizer turns a text into ids: in remembered chunks, as `data prepare` does it, and each text anew and
// in one piece. MB are 1e6 bytes; the tokenizer is loaded before the clock starts, and its caches are empty then.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "common/file.h"
#include "common/status_macros.h"
#include "data/encode_parts.h"
#include "data/load_tokenizer_from.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

struct Options {
  std::string tokenizer, text;
  std::vector<int> threads = {1, 2};
  int rounds = 3;
};

// The best of some rounds, each with a tokenizer of its own.
absl::StatusOr<double> MegabytesPerSecond(const Options& options, const std::string& text, int threads,
                                          int64_t* tokens) {
  double best = 0;
  for (int round = 0; round < options.rounds; ++round) {
    ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, LoadTokenizerFrom(options.tokenizer));
    const auto start = std::chrono::steady_clock::now();
    ASSIGN_OR_RETURN(const std::vector<uint32_t> ids, EncodeInParts(*tokenizer, text, nullptr, threads));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(text.size()) / 1e6 / took.count());
    *tokens = static_cast<int64_t>(ids.size());
  }
  return best;
}

absl::StatusOr<nlohmann::ordered_json> Measure(const Options& options) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(options.text));
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const int threads : options.threads) {
    int64_t tokens = 0;
    ASSIGN_OR_RETURN(const double rate, MegabytesPerSecond(options, text, threads, &tokens));
    rows.push_back({{"threads", threads}, {"megabytes_per_second", rate}, {"bytes", text.size()}, {"tokens", tokens}});
  }
  return rows;
}

int Run(int argc, char** argv) {
  Options options;
  CLI::App app("Times a tokenizer; prints JSON. bench/tokenize_text.py sets others beside it.");
  app.add_option("--tokenizer", options.tokenizer, "As data prepare takes it")->required();
  app.add_option("--text", options.text, "UTF-8")->required();
  app.add_option("--threads", options.threads, "Numbers of threads")->delimiter(',')->capture_default_str();
  app.add_option("--rounds", options.rounds, "The best counts")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const absl::StatusOr<nlohmann::ordered_json> rows = Measure(options);
  if (!rows.ok()) {
    std::cerr << "tokenize_bench: " << rows.status().message() << "\n";
    return 1;
  }
  std::cout << rows->dump(2) << "\n";
  return 0;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) { return ridgeline::Run(argc, argv); }
