// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/gather_whole.h"

#include <cstring>
#include <span>
#include <utility>

#include "common/status_macros.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// This rank's rows go to rank 0, and no others anywhere.
absl::Status GatherMaster(Parameter* parameter, const std::vector<RowRange>& by_rank, Communicator& group) {
  const int64_t row_bytes = parameter->row_length() * static_cast<int64_t>(sizeof(float));
  std::vector<int64_t> out_sizes(by_rank.size(), 0), in_sizes(by_rank.size(), 0);
  out_sizes[0] = parameter->sharing.own_rows.count() * row_bytes;
  at::Tensor whole;
  if (group.rank() == 0) {
    whole = at::empty(parameter->shape->sizes);
    for (size_t rank = 0; rank < by_rank.size(); ++rank) in_sizes[rank] = by_rank[rank].count() * row_bytes;
  }
  const auto* mine = static_cast<const std::byte*>(parameter->master.const_data_ptr());
  auto* all = whole.defined() ? static_cast<std::byte*>(whole.mutable_data_ptr()) : nullptr;
  RETURN_IF_ERROR(group.ExchangeBytes({mine, out_sizes[0]}, out_sizes,
                                      {all, whole.defined() ? static_cast<int64_t>(whole.nbytes()) : 0}, in_sizes,
                                      "rows of a weight"));
  if (whole.defined()) parameter->master = whole;
  return absl::OkStatus();
}

}  // namespace

absl::Status GatherWhole(LanguageModel* model, const std::vector<ParameterShards>& shards, Communicator& group) {
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < shards.size(); ++i)
    if (shards[i].is_shared()) RETURN_IF_ERROR(GatherMaster(&model->parameters()[i], shards[i].by_rank, group));
  if (group.rank() == 0) model->BecomeWhole();
  return absl::OkStatus();
}

}  // namespace ridgeline
