// SPDX-License-Identifier: Apache-2.0
#include "worker/train/evaluate.h"

#include <array>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "quant/autograd/torch_pch.h"
#include "worker/train/data_order.h"
#include "worker/train/exceptions.h"

namespace ridgeline {
namespace {

constexpr int64_t kSequencesPerBatch = 16;

// Adds loss, right predictions and tokens of the windows [share.begin, share.end) to sums.
void ScoreWindows(const Gpt& model, std::span<const uint32_t> tokens, const std::vector<int64_t>& offsets, Share share,
                  int64_t seq_len, double* sums) {
  c10::InferenceMode no_gradients;
  for (int64_t begin = share.begin; begin < share.end; begin += kSequencesPerBatch) {
    const int64_t count = std::min(kSequencesPerBatch, share.end - begin);
    auto [inputs, targets] = GatherBatch(
        tokens, std::span(offsets).subspan(static_cast<size_t>(begin), static_cast<size_t>(count)), seq_len);
    at::Tensor logits = model.Logits(inputs).flatten(0, 1), flat = targets.reshape({-1});  // (B*T, V), (B*T)
    sums[0] += at::cross_entropy_loss(logits, flat, {}, at::Reduction::Sum).item<double>();
    sums[1] += logits.argmax(1).eq(flat).sum().item<double>();
    sums[2] += static_cast<double>(flat.numel());
  }
}

}  // namespace

std::pair<at::Tensor, at::Tensor> GatherBatch(std::span<const uint32_t> tokens, std::span<const int64_t> offsets,
                                              int64_t seq_len) {
  at::Tensor windows = at::empty({static_cast<int64_t>(offsets.size()), seq_len + 1}, at::kLong);
  int64_t* out = windows.mutable_data_ptr<int64_t>();
  for (int64_t offset : offsets)
    for (int64_t i = 0; i <= seq_len; ++i) *out++ = tokens[static_cast<size_t>(offset + i)];
  return {windows.narrow(1, 0, seq_len), windows.narrow(1, 1, seq_len)};
}

absl::StatusOr<Evaluation> Evaluate(const Gpt& model, std::span<const uint32_t> tokens, int64_t seq_len,
                                    int64_t sequences, Communicator& communicator) {
  const int64_t token_count = static_cast<int64_t>(tokens.size());
  if (token_count <= seq_len)
    return absl::InvalidArgumentError(fmt::format(
        "the held-out text has {} tokens, one validation sequence needs {}: prepare more text or lower training.seq_len",
        token_count, seq_len + 1));
  const std::vector<int64_t> offsets = ValidationOffsets(sequences, token_count, seq_len);
  const Share share = ShareOfRank(static_cast<int64_t>(offsets.size()), communicator.rank(), communicator.size());
  std::array<double, 4> sums = {0, 0, 0, 0};  // Loss, right predictions, tokens, ranks that failed.
  absl::Status scored = ConvertExceptions([&] {
    ScoreWindows(model, tokens, offsets, share, seq_len, sums.data());
    return absl::OkStatus();
  });
  if (!scored.ok()) sums[3] = 1;
  RETURN_IF_ERROR(communicator.AllReduceSum(std::span<double>(sums), "evaluation"));
  RETURN_IF_ERROR(scored);
  if (sums[3] > 0) return absl::AbortedError("evaluation failed on another rank: its log says why");
  return Evaluation{sums[0] / sums[2], sums[1] / sums[2], static_cast<int64_t>(sums[2])};
}

}  // namespace ridgeline
