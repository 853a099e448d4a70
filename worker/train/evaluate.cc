// SPDX-License-Identifier: Apache-2.0
#include "worker/train/evaluate.h"

#include <algorithm>
#include <array>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/training_pass.h"
#include "quant/autograd/torch_pch.h"
#include "worker/train/data_order.h"
#include "worker/train/exceptions.h"

namespace ridgeline {
namespace {

// Tokens that go through the network at once.
constexpr int64_t kTokensPerBatch = 2048;

// Adds what the windows at these offsets score to the sums.
void ScoreWindows(LanguageModel* model, std::span<const uint32_t> tokens, std::span<const int64_t> offsets,
                  const WindowOptions& window, ScoredShare* sums) {
  auto [inputs, targets] = GatherBatch(tokens, offsets, window);
  const at::Device device = model->options().device;
  const HeadSums score = Score(model, ToDevice(inputs, device), ToDevice(targets, device));
  sums->loss += score.loss();
  sums->correct += static_cast<double>(score.correct());
  sums->tokens += static_cast<double>(targets.numel());
}

}  // namespace

std::pair<at::Tensor, at::Tensor> GatherBatch(std::span<const uint32_t> tokens, std::span<const int64_t> offsets,
                                              const WindowOptions& window) {
  at::Tensor rows = at::empty({static_cast<int64_t>(offsets.size()), window.seq_len + 1}, at::kLong);
  int64_t* out = rows.mutable_data_ptr<int64_t>();
  for (int64_t offset : offsets) {
    if (window.bos) *out++ = *window.bos;
    const int64_t count = window.bos ? window.seq_len : window.seq_len + 1;
    for (int64_t i = 0; i < count; ++i) *out++ = tokens[static_cast<size_t>(offset + i)];
  }
  return {rows.narrow(1, 0, window.seq_len), rows.narrow(1, 1, window.seq_len)};
}

absl::StatusOr<ScoredShare> ScoreShare(LanguageModel* model, std::span<const uint32_t> tokens,
                                       const WindowOptions& window, int64_t sequences,
                                       const Communicator& communicator) {
  const int64_t seq_len = window.seq_len;
  const int64_t token_count = static_cast<int64_t>(tokens.size());
  if (token_count <= seq_len)
    return absl::InvalidArgumentError(
        fmt::format("the held-out text has {} tokens, one validation sequence needs {}: prepare more text or lower "
                    "training.seq_len",
                    token_count, seq_len + 1));
  const std::vector<int64_t> offsets = ValidationOffsets(sequences, token_count, seq_len);
  const Share share = ShareOfRank(static_cast<int64_t>(offsets.size()), communicator.rank(), communicator.size());
  // Every rank makes as many passes as the one with the largest share, whatever fails, as in training.
  const int64_t windows = std::ssize(offsets), largest = (windows + communicator.size() - 1) / communicator.size();
  const int64_t batch = window.one_at_a_time ? 1 : std::max<int64_t>(1, kTokensPerBatch / seq_len);
  ScoredShare sums;
  absl::Status status = ConvertExceptions([&] {
    model->SetHardRounding(true);
    return absl::OkStatus();
  });
  for (int64_t passed = 0; passed < largest; passed += batch) {
    const int64_t begin = share.begin + passed, count = std::min(batch, share.end - begin);
    if (!status.ok() || count <= 0) {
      ScoreWithoutTokens(model);
      continue;
    }
    status = ConvertExceptions([&] {
      ScoreWindows(model, tokens, std::span(offsets).subspan(static_cast<size_t>(begin), static_cast<size_t>(count)),
                   window, &sums);
      return absl::OkStatus();
    });
  }
  RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(ConvertExceptions([&] {
    model->SetHardRounding(false);
    return absl::OkStatus();
  }));
  return sums;
}

absl::StatusOr<Evaluation> SumOfShares(const ScoredShare& share, Communicator& communicator) {
  std::array<double, 3> sums = {share.loss, share.correct, share.tokens};
  RETURN_IF_ERROR(communicator.AllReduceSum(std::span<double>(sums), "evaluation"));
  return Evaluation{sums[0] / sums[2], sums[1] / sums[2], static_cast<int64_t>(sums[2])};
}

}  // namespace ridgeline
