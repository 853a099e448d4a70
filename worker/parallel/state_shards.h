// SPDX-License-Identifier: Apache-2.0
// What a checkpoint is to a strategy: rows of named tensors, which ranks write and read apart.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

struct StateShard {            // What one rank has of one tensor of a checkpoint.
  std::string name;            // A parameter's, or "optimizer.*".
  std::vector<int64_t> sizes;  // Of the whole tensor; empty for a scalar.
  int64_t begin_row = 0;       // Along the first dimension; 0 for scalars.
  at::Tensor rows;             // Rows begin_row, ... of it; a view.
};

// A checkpoint that is read.
class StateSource {
 public:
  virtual ~StateSource() = default;
  // Rows of a tensor whose whole shape is `sizes` (scalar: empty sizes, begin 0, count 1). DATA_LOSS names what the
  // checkpoint lacks or has in another shape or dtype.
  virtual absl::StatusOr<at::Tensor> Rows(const std::string& name, const std::vector<int64_t>& sizes, int64_t begin_row,
                                          int64_t row_count) = 0;
};

// Copies rows begin_row, ... of a tensor whose whole shape is `sizes` into `rows`, as many as that has. DATA_LOSS also
// where the checkpoint holds other numbers than `rows` does: nothing is converted.
absl::Status RestoreRows(StateSource& source, const std::string& name, const std::vector<int64_t>& sizes,
                         int64_t begin_row, at::Tensor rows);

// Shards in memory: of one rank, or of all that had a part.
class StateInMemory : public StateSource {
 public:
  // Copies the shards. REQUIRES: those of a tensor have the same sizes and are each row once.
  explicit StateInMemory(std::vector<StateShard> shards);
  // Whole tensors, not copied.
  explicit StateInMemory(std::map<std::string, at::Tensor> tensors) : tensors_(std::move(tensors)) {}

  const std::map<std::string, at::Tensor>& tensors() const { return tensors_; }
  absl::StatusOr<at::Tensor> Rows(const std::string& name, const std::vector<int64_t>& sizes, int64_t begin_row,
                                  int64_t row_count) override;

 private:
  std::map<std::string, at::Tensor> tensors_;  // Whole.
};

}  // namespace ridgeline
