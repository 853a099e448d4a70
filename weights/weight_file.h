// SPDX-License-Identifier: Apache-2.0
// The named tensors of a model on disk, whatever format they are in: views into memory-mapped files, nothing copied.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "weights/dtype.h"
#include "weights/mapped_file.h"

namespace ridgeline {

struct TensorView {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;  // Outermost first; {} is a scalar
  std::string_view bytes;      // Into the file; exactly BytesOfShape(dtype, shape). See docs/formats.md on alignment.
};

// Immutable: any thread may read. Owns the mappings, so views and their bytes live as long as it does.
class WeightFile {
 public:
  struct Contents {
    std::vector<TensorView> tensors;  // Any order; names are unique
    std::map<std::string, std::string> metadata;
    std::vector<MappedFile> mappings;  // Empty when the bytes belong to the caller
  };
  explicit WeightFile(Contents contents);
  virtual ~WeightFile() = default;
  WeightFile(const WeightFile&) = delete;
  WeightFile& operator=(const WeightFile&) = delete;

  // Sorted by name.
  const std::vector<TensorView>& tensors() const { return contents_.tensors; }
  // nullptr if there is none of that name.
  const TensorView* Find(std::string_view name) const;
  // safetensors: "__metadata__" (of all shards, the first to name a key wins). GGUF: the values that are text.
  const std::map<std::string, std::string>& metadata() const { return contents_.metadata; }

 private:
  Contents contents_;
};

// Maps `path`: a .safetensors file, a model.safetensors.index.json with its shards beside it, or a folder that holds
// model.safetensors or model.safetensors.index.json (INVALID_ARGUMENT if both). NOT_FOUND names what was looked for.
// DATA_LOSS names file, tensor and what is wrong: a short file, a header that lies about its size, names that repeat
// or are not UTF-8, offsets that overlap, leave gaps or point outside, shapes that do not match the bytes, an index
// that does not agree with its shards. UNIMPLEMENTED for the format's types that Ridgeline has no use for (F8, ...).
absl::StatusOr<std::unique_ptr<WeightFile>> OpenSafetensors(const std::string& path);

// One file from bytes that the caller keeps alive; `name` appears in errors. Safe on any input.
absl::StatusOr<std::unique_ptr<WeightFile>> ParseSafetensors(std::string_view bytes, const std::string& name);

}  // namespace ridgeline
