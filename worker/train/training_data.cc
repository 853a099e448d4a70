// SPDX-License-Identifier: Apache-2.0
#include "worker/train/training_data.h"

#include <string>
#include <vector>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "quant/autograd/torch_pch.h"
#include "worker/train/dataset_tokenizer.h"

namespace ridgeline {

absl::StatusOr<TrainingData> OpenTrainingData(const v1::Recipe& recipe, bool is_root, Reporter* reporter) {
  TrainingData data;
  ASSIGN_OR_RETURN(data.dataset, Dataset::Open(recipe.dataset().path()));
  if (is_root) {
    std::string untold;
    RETURN_IF_ERROR(CheckDatasetTokenizer(recipe, *data.dataset, &untold));
    if (!untold.empty()) reporter->Log("warn", untold);
  }
  data.window.seq_len = recipe.training().seq_len();
  data.window.one_at_a_time = recipe.training().deterministic();
  const SpecialTokens special = data.dataset->tokenizer().special_tokens();
  if (special.prompt_begins_with_bos) data.window.bos = special.bos_id;
  const size_t tokens = data.dataset->train().size();
  if (static_cast<int64_t>(tokens) <= data.window.seq_len)
    return absl::InvalidArgumentError(fmt::format("{} has {} training tokens, training.seq_len {} needs more",
                                                  recipe.dataset().path(), tokens, data.window.seq_len));
  if (!recipe.validation().has_second_path()) return data;
  ASSIGN_OR_RETURN(data.second, Dataset::Open(recipe.validation().second_path()));
  if (data.second->tokenizer().ToJson() != data.dataset->tokenizer().ToJson())
    return absl::InvalidArgumentError(fmt::format("{} was prepared with another tokenizer than {}",
                                                  recipe.validation().second_path(), recipe.dataset().path()));
  return data;
}

std::pair<at::Tensor, at::Tensor> BatchOf(const TrainingData& data, const v1::Training& training, int64_t step,
                                          Share share) {
  const std::span<const uint32_t> tokens = data.dataset->train();
  std::vector<int64_t> offsets;
  for (int64_t i = share.begin; i < share.end; ++i)
    offsets.push_back(SampleOffset(training.seed(), step * training.global_batch_size() + i,
                                   static_cast<int64_t>(tokens.size()), training.seq_len()));
  return GatherBatch(tokens, offsets, data.window);
}

}  // namespace ridgeline
