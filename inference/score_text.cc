// SPDX-License-Identifier: Apache-2.0
#include "inference/score_text.h"

#include <algorithm>
#include <cmath>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/training_pass.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

absl::Status Check(const LanguageModel& model, std::span<const uint32_t> tokens, const ScoreOptions& options) {
  if (options.seq_len < 1 || options.seq_len > model.max_length())
    return absl::InvalidArgumentError(
        fmt::format("--seq-len {}: the model has {} positions", options.seq_len, model.max_length()));
  if (tokens.empty() || (!options.bos && tokens.size() == 1))
    return absl::InvalidArgumentError("the text has no token that could be scored");
  const uint32_t largest = *std::max_element(tokens.begin(), tokens.end());
  if (largest >= model.vocab_size())
    return absl::InvalidArgumentError(
        fmt::format("the text has the token {}, but the model has {}: it was cut by another model's tokenizer", largest,
                    model.vocab_size()));
  return absl::OkStatus();
}

// Inputs and targets of `rows` windows of `length` targets each, the first at `begin`: (rows, length) both.
std::pair<at::Tensor, at::Tensor> Windows(std::span<const uint32_t> tokens, size_t begin, int64_t rows, int64_t length,
                                          std::optional<uint32_t> bos) {
  at::Tensor inputs = at::empty({rows, length}, at::kLong), targets = at::empty({rows, length}, at::kLong);
  int64_t *in = inputs.mutable_data_ptr<int64_t>(), *target = targets.mutable_data_ptr<int64_t>();
  for (size_t at = begin; at < begin + static_cast<size_t>(rows * length); ++at) {
    const bool begins = (at - begin) % static_cast<size_t>(length) == 0;
    *in++ = begins && bos ? *bos : tokens[at - 1];
    *target++ = tokens[at];
  }
  return {inputs, targets};
}

}  // namespace

absl::StatusOr<TextScore> ScoreTokens(LanguageModel* model, std::span<const uint32_t> tokens,
                                      const ScoreOptions& options) {
  RETURN_IF_ERROR(Check(*model, tokens, options));
  const size_t first = options.bos ? 0 : 1;
  const int64_t total = static_cast<int64_t>(tokens.size() - first);
  double sum = 0;
  int64_t correct = 0;
  for (int64_t done = 0; done < total;) {
    if (options.progress && !options.progress(done, total)) return absl::CancelledError("interrupted");
    const int64_t length = std::min(options.seq_len, total - done);
    const int64_t rows = std::clamp<int64_t>((total - done) / length, 1, std::max<int64_t>(1, options.batch));
    const auto [inputs, targets] = Windows(tokens, first + static_cast<size_t>(done), rows, length, options.bos);
    const HeadSums score = Score(model, inputs, targets);
    sum += score.loss();
    correct += score.correct();
    done += rows * length;
  }
  const double loss = sum / static_cast<double>(total);
  if (!std::isfinite(loss))
    return absl::DataLossError(
        fmt::format("NONFINITE: the loss on this text is {}: the weights are finite, but what the network computes "
                    "with them is not; the run that left them diverged",
                    loss));
  return TextScore{loss, std::exp(loss), static_cast<double>(correct) / static_cast<double>(total), total};
}

}  // namespace ridgeline
