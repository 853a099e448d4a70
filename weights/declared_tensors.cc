// SPDX-License-Identifier: Apache-2.0
#include "weights/declared_tensors.h"

#include <set>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "weights/checks.h"

namespace ridgeline {

DeclaredTensors::DeclaredTensors(std::string path, std::vector<TensorDeclaration> tensors, std::vector<uint64_t> bytes)
    : path_(std::move(path)), tensors_(std::move(tensors)), bytes_(std::move(bytes)) {
  SkipEmpty();
}

absl::StatusOr<DeclaredTensors> DeclaredTensors::Create(const std::string& path,
                                                        std::vector<TensorDeclaration> tensors) {
  std::set<std::string_view> names;
  std::vector<uint64_t> bytes;
  for (const TensorDeclaration& tensor : tensors) {
    if (!IsCleanName(tensor.name))
      return absl::InvalidArgumentError(fmt::format("{}: a tensor's name is empty, holds NUL or is not UTF-8", path));
    if (!names.insert(tensor.name).second)
      return absl::InvalidArgumentError(fmt::format("{}: tensor '{}' is declared twice", path, tensor.name));
    const std::optional<uint64_t> size = BytesOfShape(tensor.dtype, tensor.shape);
    if (!size)
      return absl::InvalidArgumentError(
          fmt::format("{}: tensor '{}' has a shape that {} cannot have (rows of {} elements)", path, tensor.name,
                      DtypeName(tensor.dtype), BlockElements(tensor.dtype)));
    bytes.push_back(*size);
  }
  return DeclaredTensors(path, std::move(tensors), std::move(bytes));
}

void DeclaredTensors::SkipEmpty() {
  while (current_ < tensors_.size() && taken_bytes_ == bytes_[current_]) {
    ++current_;
    taken_bytes_ = 0;
  }
}

absl::StatusOr<size_t> DeclaredTensors::Take(std::string_view name, uint64_t piece_bytes) {
  if (current_ == tensors_.size())
    return absl::FailedPreconditionError(fmt::format("{}: bytes for '{}' after the last tensor", path_, name));
  const TensorDeclaration& tensor = tensors_[current_];
  if (tensor.name != name)
    return absl::FailedPreconditionError(
        fmt::format("{}: bytes for '{}', but it is the turn of '{}'", path_, name, tensor.name));
  if (piece_bytes > bytes_[current_] - taken_bytes_)
    return absl::FailedPreconditionError(fmt::format("{}: tensor '{}' has {} bytes, {} more were given than it lacks",
                                                     path_, name, bytes_[current_],
                                                     piece_bytes - (bytes_[current_] - taken_bytes_)));
  const size_t index = current_;
  taken_bytes_ += piece_bytes;
  SkipEmpty();
  return index;
}

absl::Status DeclaredTensors::CheckComplete() const {
  if (current_ == tensors_.size()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{}: tensor '{}' lacks {} bytes", path_, tensors_[current_].name, bytes_[current_] - taken_bytes_));
}

}  // namespace ridgeline
