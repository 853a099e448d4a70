// SPDX-License-Identifier: Apache-2.0
// A model's folder in the store while it is being written: nobody sees it before it is whole.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// INVALID_ARGUMENT unless it is 1 to 100 letters, digits, '.', '_', '-', and begins with a letter or digit.
absl::Status CheckModelName(const std::string& name);

// A hidden folder in the store, removed with all that is in it unless it was published. One thread at a time.
class StagedModel {
 public:
  static absl::StatusOr<StagedModel> Create(const std::string& name);

  StagedModel(StagedModel&& other) noexcept
      : name_(std::move(other.name_)), scratch_(std::exchange(other.scratch_, {})), files_(std::move(other.files_)) {}
  StagedModel& operator=(StagedModel&&) = delete;
  ~StagedModel();

  // The folder that becomes the model's, and one beside it for what is not kept.
  std::string folder() const { return scratch_ + "/model"; }
  std::string scratch() const { return scratch_ + "/scratch"; }

  // A file of folder() that import.json names with its hash.
  void AddFile(const std::string& file_name, const std::string& sha256);

  // Writes import.json, flushes, and puts the folder in its place in one step. ALREADY_EXISTS if there is one and
  // `replace` is false. Returns the model's folder.
  absl::StatusOr<std::string> Publish(const std::string& source, bool replace);

 private:
  StagedModel(std::string name, std::string scratch) : name_(std::move(name)), scratch_(std::move(scratch)) {}
  absl::Status WriteImportJson(const std::string& source) const;

  std::string name_;
  std::string scratch_;                                     // Empty once it belongs to another object
  std::vector<std::pair<std::string, std::string>> files_;  // Name, SHA-256
};

}  // namespace ridgeline
