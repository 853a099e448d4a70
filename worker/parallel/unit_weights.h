// SPDX-License-Identifier: Apache-2.0
// The matrices of one unit (model/blueprint/shards.h) on their way from the ranks that have their rows to all that
// compute with them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "comm/communicator.h"
#include "model/blueprint/shards.h"
#include "model/parameter.h"

namespace ridgeline {

// A shared matrix and who has which of its rows.
struct SharedMatrix {
  Parameter* parameter = nullptr;
  std::vector<RowRange> by_rank;
};

// Owned and called by one thread; parameters and group must outlive it. Calls that exchange are collectives of the
// group: a gather begins on each rank, and each ends it.
class UnitWeights {
 public:
  // `numbers`: dtype and device of what layers compute with.
  UnitWeights(std::vector<SharedMatrix> matrices, const at::TensorOptions& numbers, Communicator& group);

  // Begins to gather, unless that is done or under way. Quantizes what is stale first, once.
  absl::Status Start();
  // Ends it: `compute` of the unit's parameters is there and whole.
  absl::Status Finish();
  // They are not any more.
  void Release();
  // Lets a gather that is under way proceed.
  void Poll();
  bool is_there() const { return is_there_; }

 private:
  int64_t BytesOf(const SharedMatrix& matrix, size_t rank) const;
  std::vector<int64_t> SizesByRank() const;
  bool is_stale() const;
  void WriteOwnPart(const at::Tensor& bytes);

  const std::vector<SharedMatrix> matrices_;
  const at::TensorOptions numbers_;
  Communicator& group_;
  bool quantizes_ = false;      // Any of it: then what this rank has is kept as it travels.
  at::Tensor own_;              // That: bytes where layers compute, as the next.
  at::Tensor all_;              // Of all ranks, while they are under way.
  std::vector<int64_t> sizes_;  // Of its parts, by rank.
  std::unique_ptr<Pending> pending_;
  bool is_there_ = false;
};

}  // namespace ridgeline
