// SPDX-License-Identifier: Apache-2.0
// The part that both writers share: are the declarations fit for a file, and do the bytes come in their order?
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "weights/tensor_declaration.h"

namespace ridgeline {

// One thread at a time. `path` appears in errors.
class DeclaredTensors {
 public:
  // INVALID_ARGUMENT for names that are empty, repeat, hold NUL or are not UTF-8, and shapes that no dtype has.
  static absl::StatusOr<DeclaredTensors> Create(const std::string& path, std::vector<TensorDeclaration> tensors);

  const std::vector<TensorDeclaration>& tensors() const { return tensors_; }
  uint64_t bytes_of(size_t index) const { return bytes_[index]; }

  // Counts a piece of `name` as written and returns which tensor that is. FAILED_PRECONDITION if it is not its turn
  // or the piece is longer than what the tensor still lacks.
  absl::StatusOr<size_t> Take(std::string_view name, uint64_t piece_bytes);

  // FAILED_PRECONDITION names the first tensor that lacks bytes.
  absl::Status CheckComplete() const;

 private:
  DeclaredTensors(std::string path, std::vector<TensorDeclaration> tensors, std::vector<uint64_t> bytes);
  void SkipEmpty();

  std::string path_;
  std::vector<TensorDeclaration> tensors_;
  std::vector<uint64_t> bytes_;  // As tensors_
  size_t current_ = 0;           // The tensor whose turn it is
  uint64_t taken_bytes_ = 0;     // Of the current one
};

}  // namespace ridgeline
