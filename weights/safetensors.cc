// SPDX-License-Identifier: Apache-2.0
// One safetensors file: an 8-byte header length, a JSON header with name, dtype, shape and offsets, then the bytes.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "weights/checks.h"
#include "weights/json.h"
#include "weights/safetensors_contents.h"
#include "weights/weight_file.h"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxHeaderBytes = size_t{100} << 20;  // The format's own limit
constexpr int kHeaderDepth = 3;                        // Header, tensor, shape

// Names that the format has and that no model here uses.
constexpr std::array<std::string_view, 10> kOtherDtypes = {"U16",     "U32",     "U64",     "F8_E4M3", "F8_E5M2",
                                                           "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4",      "C64"};

absl::Status Damaged(std::string_view what) { return absl::DataLossError(fmt::format("{}", what)); }

absl::StatusOr<Dtype> ReadDtype(const std::string& name, const Json& entry) {
  if (!entry.contains("dtype") || !entry["dtype"].is_string())
    return Damaged(fmt::format("tensor '{}' lacks a dtype", name));
  const std::string& text = entry["dtype"].get_ref<const std::string&>();
  if (const std::optional<Dtype> dtype = DtypeFromSafetensors(text)) return *dtype;
  if (std::find(kOtherDtypes.begin(), kOtherDtypes.end(), text) != kOtherDtypes.end())
    return absl::UnimplementedError(
        fmt::format("tensor '{}' has dtype {}; convert it to one of {}", name, text, SafetensorsDtypes()));
  return Damaged(fmt::format("tensor '{}' has the unknown dtype '{}'", name, text));
}

absl::StatusOr<std::vector<int64_t>> ReadShape(const std::string& name, const Json& entry) {
  if (!entry.contains("shape") || !entry["shape"].is_array())
    return Damaged(fmt::format("tensor '{}' lacks a shape", name));
  std::vector<int64_t> shape;
  for (const Json& size : entry["shape"]) {
    if (!size.is_number_unsigned() || size.get<uint64_t>() > INT64_MAX)
      return Damaged(fmt::format("tensor '{}' has a shape that is not made of whole numbers", name));
    shape.push_back(size.get<int64_t>());
  }
  return shape;
}

// The bytes of `data`, which follows the header, that the entry's offsets name.
absl::StatusOr<std::string_view> ReadBytes(const std::string& name, const Json& entry, std::string_view data) {
  if (!entry.contains("data_offsets") || !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2)
    return Damaged(fmt::format("tensor '{}' lacks data_offsets", name));
  const Json& offsets = entry["data_offsets"];
  if (!offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned())
    return Damaged(fmt::format("tensor '{}' has offsets that are not whole numbers", name));
  const uint64_t begin = offsets[0].get<uint64_t>(), end = offsets[1].get<uint64_t>();
  if (begin > end || end > data.size())
    return Damaged(
        fmt::format("tensor '{}' lies at {}..{}, outside the {} bytes of data", name, begin, end, data.size()));
  return data.substr(begin, end - begin);
}

absl::StatusOr<TensorView> ReadTensor(const std::string& name, const Json& entry, std::string_view data) {
  if (!IsCleanName(name)) return Damaged("a tensor's name is empty or holds NUL");
  if (!entry.is_object()) return Damaged(fmt::format("the entry of tensor '{}' is not an object", name));
  TensorView tensor;
  tensor.name = name;
  ASSIGN_OR_RETURN(tensor.dtype, ReadDtype(name, entry));
  ASSIGN_OR_RETURN(tensor.shape, ReadShape(name, entry));
  ASSIGN_OR_RETURN(tensor.bytes, ReadBytes(name, entry, data));
  if (BytesOfShape(tensor.dtype, tensor.shape) != tensor.bytes.size())
    return Damaged(fmt::format("tensor '{}' has a shape that does not match its {} bytes", name, tensor.bytes.size()));
  return tensor;
}

absl::StatusOr<std::map<std::string, std::string>> ReadMetadata(const Json& entry) {
  if (!entry.is_object()) return Damaged("__metadata__ is not an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) return Damaged(fmt::format("metadata '{}' is not text", key));
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

absl::StatusOr<WeightFile::Contents> ReadContents(std::string_view bytes) {
  uint64_t header_bytes = 0;
  if (bytes.size() < sizeof header_bytes) return Damaged("it is shorter than its header length");
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  bytes.remove_prefix(sizeof header_bytes);
  if (header_bytes > bytes.size() || header_bytes > kMaxHeaderBytes)
    return Damaged(fmt::format("the header claims {} bytes, {} are there and {} allowed", header_bytes, bytes.size(),
                               kMaxHeaderBytes));
  const std::string_view data = bytes.substr(header_bytes);
  absl::StatusOr<Json> header =
      ParseJsonObject(bytes.substr(0, header_bytes), {.max_depth = kHeaderDepth, .max_bytes = kMaxHeaderBytes});
  if (!header.ok()) return Damaged(fmt::format("its header: {}", std::string(header.status().message())));
  WeightFile::Contents contents;
  for (const auto& [key, entry] : header->items()) {
    if (key == "__metadata__") {
      ASSIGN_OR_RETURN(contents.metadata, ReadMetadata(entry));
      continue;
    }
    ASSIGN_OR_RETURN(TensorView tensor, ReadTensor(key, entry, data));
    contents.tensors.push_back(std::move(tensor));
  }
  RETURN_IF_ERROR(CheckLayout(data, contents.tensors, Gaps::kRefused));
  return contents;
}

}  // namespace

absl::StatusOr<WeightFile::Contents> ParseSafetensorsContents(std::string_view bytes, const std::string& name) {
  absl::StatusOr<WeightFile::Contents> contents = ReadContents(bytes);
  if (contents.ok()) return contents;
  const std::string what(contents.status().message());
  if (absl::IsUnimplemented(contents.status())) return absl::UnimplementedError(fmt::format("{}: {}", name, what));
  return absl::DataLossError(fmt::format("{}: not a whole safetensors file: {}; fetch or write it again", name, what));
}

absl::StatusOr<std::unique_ptr<WeightFile>> ParseSafetensors(std::string_view bytes, const std::string& name) {
  ASSIGN_OR_RETURN(WeightFile::Contents contents, ParseSafetensorsContents(bytes, name));
  return std::make_unique<WeightFile>(std::move(contents));
}

}  // namespace ridgeline
