// SPDX-License-Identifier: Apache-2.0
// `eval`: how well a model predicts a text.
#include <algorithm>

#include "common/exit_code.h"
#include "common/interrupt.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "data/dataset.h"
#include "data/same_tokenizer.h"
#include "fmt/format.h"
#include "inference/loaded_model.h"
#include "inference/score_text.h"
#include "inference/status_line.h"
#include "inference/verbs.h"
#include "nlohmann/json.hpp"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr int64_t kTokensAtOnce = 2048;

// The ids to score, and what stands before each window of them.
struct Input {
  std::unique_ptr<Dataset> dataset;  // Owns the ids, if they are one's.
  std::vector<uint32_t> encoded;
  std::span<const uint32_t> ids;
  std::optional<uint32_t> bos;
};

void TakeBos(const Tokenizer& tokenizer, Input* input) {
  const SpecialTokens special = tokenizer.special_tokens();
  if (special.prompt_begins_with_bos) input->bos = special.bos_id;
}

// A dataset's ids mean something to the model alone whose tokenizer made them.
absl::Status CheckTokenizer(const EvalOptions& options, const Dataset& dataset) {
  const auto tokenizer = LoadTokenizerOf(options.model, options.tokenizer);
  if (absl::IsNotFound(tokenizer.status()) || absl::IsUnimplemented(tokenizer.status())) {
    PrintErr("ridgeline: whether {} was prepared with the model's tokenizer cannot be told: {}\n", options.dataset,
             std::string(tokenizer.status().message()));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(tokenizer.status());
  return CheckSameTokenizer(dataset.tokenizer(), options.dataset, **tokenizer, options.model);
}

absl::StatusOr<Input> ReadInput(const EvalOptions& options) {
  Input input;
  if (!options.dataset.empty()) {
    ASSIGN_OR_RETURN(input.dataset, Dataset::Open(options.dataset));
    RETURN_IF_ERROR(CheckTokenizer(options, *input.dataset));
    input.ids = input.dataset->validation();
    TakeBos(input.dataset->tokenizer(), &input);
    return input;
  }
  ASSIGN_OR_RETURN(const std::string text, ReadText(options.text_file));
  ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, LoadTokenizerOf(options.model, options.tokenizer));
  ASSIGN_OR_RETURN(input.encoded, tokenizer->Encode(text));
  input.ids = input.encoded;
  TakeBos(*tokenizer, &input);
  return input;
}

ScoreOptions ToScoring(const EvalOptions& options, const LanguageModel& model, const Input& input, StatusLine* status) {
  ScoreOptions scoring{.seq_len = options.seq_len > 0 ? options.seq_len : std::min(kTokensAtOnce, model.max_length()),
                       .bos = input.bos};
  scoring.batch = options.batch > 0 ? options.batch : std::max<int64_t>(1, kTokensAtOnce / scoring.seq_len);
  scoring.progress = [status](int64_t done, int64_t total) {
    status->Show(fmt::format("{} of {} tokens scored", done, total));
    return !Interrupted();
  };
  return scoring;
}

void Print(const TextScore& score, const std::string& format) {
  if (format == "json") {
    const nlohmann::ordered_json json = {
        {"loss", score.loss}, {"perplexity", score.perplexity}, {"accuracy", score.accuracy}, {"tokens", score.tokens}};
    PrintOut("{}\n", json.dump(2));
    return;
  }
  PrintOut("loss        {:.4f} nats per token\nperplexity  {:.2f}\naccuracy    {:.2f} %\ntokens      {}\n", score.loss,
           score.perplexity, 100 * score.accuracy, score.tokens);
}

}  // namespace

absl::StatusOr<int> RunEval(const EvalOptions& options) {
  StatusLine status;
  status.Show("loading the model");
  ASSIGN_OR_RETURN(const Input input, ReadInput(options));
  ASSIGN_OR_RETURN(const std::unique_ptr<LanguageModel> model, LoadForInference(options.model, options.dtype));
  CatchInterrupts();
  ASSIGN_OR_RETURN(const TextScore score,
                   ScoreTokens(model.get(), input.ids, ToScoring(options, *model, input, &status)));
  status.Clear();
  Print(score, options.format);
  return kExitOk;
}

}  // namespace ridgeline
