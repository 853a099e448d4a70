// SPDX-License-Identifier: Apache-2.0
// Writes safetensors, in one file or in shards with an index, without holding more of the model than one piece.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file_writer.h"
#include "weights/declared_tensors.h"

namespace ridgeline {

// One thread at a time. Files appear under their names only in Finish(), flushed to the disk; a writer that is
// destroyed earlier leaves nothing behind.
class SafetensorsWriter {
 public:
  struct Options {
    std::map<std::string, std::string> metadata;  // UTF-8
    // Shards hold at most this many bytes of tensors (a larger tensor has one of its own); 0 writes one file.
    uint64_t max_shard_bytes = 0;
  };

  // `path` ends in .safetensors. If the tensors need several shards, STEM-00001-of-00003.safetensors and
  // STEM.safetensors.index.json are written beside it instead. Tensors follow each other without padding: declare
  // wide types first and each begins at a multiple of its element. INVALID_ARGUMENT for names that are empty, repeat,
  // or are not UTF-8, and for types that the format lacks; RESOURCE_EXHAUSTED when the disk is full.
  static absl::StatusOr<std::unique_ptr<SafetensorsWriter>> Create(const std::string& path,
                                                                   std::vector<TensorDeclaration> tensors,
                                                                   Options options);
  // The next piece of `name`, whose turn it is by the order of declaration; it may come in any number of pieces.
  // FAILED_PRECONDITION if it is another tensor's turn or the piece is too long.
  absl::Status Append(std::string_view name, std::string_view bytes);

  // FAILED_PRECONDITION if bytes of a tensor are missing.
  absl::Status Finish();

 private:
  struct Shard {
    std::string path;
    size_t first = 0, end = 0;  // Tensors, in the order of declaration
  };
  SafetensorsWriter(std::string path, DeclaredTensors tensors, Options options, std::vector<size_t> shard_ends);

  std::string HeaderOf(const Shard& shard) const;
  std::string Index() const;
  absl::Status OpenThrough(size_t shard);

  std::string path_;
  DeclaredTensors tensors_;
  Options options_;
  std::vector<Shard> shards_;
  std::vector<FileWriter> files_;  // Of the first shards; all but the last are closed
};

}  // namespace ridgeline
