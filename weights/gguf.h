// SPDX-License-Identifier: Apache-2.0
// GGUF files, versions 2 and 3, little endian: typed key/value metadata (hyperparameters, tokenizer), then tensors.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "weights/weight_file.h"

namespace ridgeline {

// The format's own numbers.
enum class GgufType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

// A metadata value in its place in the file. Checked: `bytes` holds exactly `count` elements of `type`, and strings
// inside it end inside it.
struct GgufValue {
  GgufType type = GgufType::kUint8;  // Of the elements; never kArray
  bool is_array = false;
  uint64_t count = 1;
  std::string_view bytes;
};
using GgufValues = std::map<std::string, GgufValue, std::less<>>;

// A WeightFile whose shapes are turned to outermost first (the file stores the row length first). Immutable: any
// thread may read. Text is passed on as stored; its encoding is not checked. string_views live as long as the object.
class GgufFile : public WeightFile {
 public:
  GgufFile(Contents contents, GgufValues values);

  const GgufValues& values() const { return values_; }

  // Nothing if the key is absent, or its value of another kind or out of range.
  std::optional<std::string_view> FindString(std::string_view key) const;
  std::optional<uint64_t> FindUint(std::string_view key) const;  // Any integer that is not negative
  std::optional<double> FindFloat(std::string_view key) const;   // float32 or float64
  std::optional<bool> FindBool(std::string_view key) const;
  std::optional<std::vector<std::string_view>> FindStringArray(std::string_view key) const;
  std::optional<std::vector<float>> FindFloatArray(std::string_view key) const;  // float32 or float64
  std::optional<std::vector<int64_t>> FindIntArray(std::string_view key) const;  // Any integers; booleans as 0 and 1

 private:
  GgufValues values_;
};

// Maps the file, and where it is one part of a model that was split (NAME-00001-of-00003.gguf), all of them: the
// metadata is that of the first. DATA_LOSS names file, key or tensor, and what is wrong: no GGUF, a short file, counts
// that do not fit, names that repeat or are not UTF-8, arrays in arrays, an alignment that is no power of two, offsets
// that overlap, are not aligned or point outside, parts of different models. NOT_FOUND names a part that is missing.
// UNIMPLEMENTED for other versions, big endian, and ggml types that Ridgeline does not decode.
absl::StatusOr<std::unique_ptr<GgufFile>> OpenGguf(const std::string& path);

// The files behind `path`: itself, or all parts of the split model that it is a part of, by number. Errors of OpenGguf
// for a file that says it is a part, but is not named as one.
absl::StatusOr<std::vector<std::string>> GgufPartsOf(const std::string& path);

// The only model of a folder in this format, by its (first) file; empty if there is none. INVALID_ARGUMENT if there are
// several. Parts of one model count as one.
absl::StatusOr<std::string> OnlyGgufIn(const std::string& folder);

// One file from bytes that the caller keeps alive; `name` appears in errors. Safe on any input.
absl::StatusOr<std::unique_ptr<GgufFile>> ParseGguf(std::string_view bytes, const std::string& name);

}  // namespace ridgeline
