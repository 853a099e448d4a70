// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/gather_whole.h"

#include "common/status_macros.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/tensor_span.h"

namespace ridgeline {
namespace {

// This rank's rows go to rank 0, and no others anywhere.
absl::Status GatherMaster(Parameter* parameter, const std::vector<RowRange>& by_rank, Communicator& group) {
  const int64_t row_bytes = parameter->row_length() * static_cast<int64_t>(sizeof(float));
  std::vector<int64_t> out_sizes(by_rank.size(), 0), in_sizes(by_rank.size(), 0);
  out_sizes[0] = parameter->sharing.own_rows.count() * row_bytes;
  const bool is_root = group.rank() == 0;
  const at::Tensor mine = parameter->master,
                   whole = at::empty(is_root ? at::IntArrayRef(parameter->shape->sizes) : at::IntArrayRef({0}),
                                     mine.options());
  if (is_root)
    for (size_t rank = 0; rank < by_rank.size(); ++rank) in_sizes[rank] = by_rank[rank].count() * row_bytes;
  RETURN_IF_ERROR(group.ExchangeBytes(BytesOf(mine), out_sizes, BytesOf(whole), in_sizes, "rows of a weight"));
  if (is_root) parameter->master = whole;
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
