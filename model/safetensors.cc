// SPDX-License-Identifier: Apache-2.0
#include "model/safetensors.h"

#include <array>
#include <cstring>
#include <optional>

#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxHeaderBytes = size_t{100} << 20;

struct DtypeName {
  const char* name;
  at::ScalarType type;
};
constexpr std::array<DtypeName, 5> kDtypes = {{{"F32", at::kFloat}, {"F64", at::kDouble}, {"BF16", at::kBFloat16},
                                               {"F16", at::kHalf}, {"I64", at::kLong}}};

absl::Status Damaged(const std::string& file, const std::string& what) {
  return absl::DataLossError(fmt::format("{}: not a valid safetensors file: {}", file, what));
}

const char* NameOf(at::ScalarType type) {
  for (const DtypeName& dtype : kDtypes)
    if (dtype.type == type) return dtype.name;
  return nullptr;
}

std::optional<at::ScalarType> TypeOf(const std::string& name) {
  for (const DtypeName& dtype : kDtypes)
    if (name == dtype.name) return dtype.type;
  return std::nullopt;
}

// The number of bytes that a shape takes, or nothing if it overflows or is negative.
std::optional<uint64_t> BytesOf(const std::vector<int64_t>& shape, at::ScalarType type) {
  uint64_t bytes = c10::elementSize(type);
  for (int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) return std::nullopt;
  return bytes;
}

// One entry of the header; `data` is what follows the header, `expected_begin` where the tensor has to start.
absl::StatusOr<at::Tensor> ReadTensor(const std::string& file, const std::string& name, const Json& entry,
                                      std::string_view data) {
  auto damaged = [&](const std::string& what) { return Damaged(file, fmt::format("tensor '{}' {}", name, what)); };
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() || !entry.contains("shape") ||
      !entry["shape"].is_array() || !entry.contains("data_offsets") || !entry["data_offsets"].is_array() ||
      entry["data_offsets"].size() != 2)
    return damaged("lacks dtype, shape or data_offsets");
  std::optional<at::ScalarType> type = TypeOf(entry["dtype"].get<std::string>());
  if (!type) return damaged(fmt::format("has the unsupported dtype {}", entry["dtype"].get<std::string>()));
  std::vector<int64_t> shape;
  for (const Json& size : entry["shape"]) {
    if (!size.is_number_unsigned() || size.get<uint64_t>() > INT64_MAX) return damaged("has a shape that is not made of whole numbers");
    shape.push_back(size.get<int64_t>());
  }
  for (const Json& offset : entry["data_offsets"])
    if (!offset.is_number_unsigned()) return damaged("has offsets that are not whole numbers");
  uint64_t begin = entry["data_offsets"][0].get<uint64_t>(), end = entry["data_offsets"][1].get<uint64_t>();
  if (begin > end || end > data.size()) return damaged(fmt::format("lies at {}..{}, outside the {} bytes of data", begin, end, data.size()));
  std::optional<uint64_t> bytes = BytesOf(shape, *type);
  if (!bytes || *bytes != end - begin) return damaged("has a shape that does not match its bytes");
  at::Tensor tensor = at::empty(shape, *type);
  if (*bytes > 0) std::memcpy(tensor.mutable_data_ptr(), data.data() + begin, *bytes);
  return tensor;
}

// Tensors must cover the data without overlaps or gaps.
absl::Status CheckCover(const std::string& file, const Json& header, size_t data_bytes) {
  std::map<uint64_t, uint64_t> ranges;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    uint64_t begin = entry["data_offsets"][0].get<uint64_t>(), end = entry["data_offsets"][1].get<uint64_t>();
    if (begin != end && !ranges.emplace(begin, end).second) return Damaged(file, fmt::format("tensor '{}' overlaps another", name));
  }
  uint64_t at = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != at) return Damaged(file, fmt::format("the tensors overlap or leave a gap at byte {}", at));
    at = end;
  }
  if (at != data_bytes) return Damaged(file, fmt::format("{} bytes follow the last tensor", data_bytes - at));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SafetensorsFile> ParseSafetensors(std::string_view bytes, const std::string& name) {
  uint64_t header_bytes = 0;
  if (bytes.size() < sizeof header_bytes) return Damaged(name, "shorter than its header length");
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  bytes.remove_prefix(sizeof header_bytes);
  if (header_bytes > bytes.size() || header_bytes > kMaxHeaderBytes)
    return Damaged(name, fmt::format("the header claims {} bytes, {} are there", header_bytes, bytes.size()));
  std::string_view text = bytes.substr(0, header_bytes), data = bytes.substr(header_bytes);
  Json header = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) return Damaged(name, "the header is not a JSON object");
  SafetensorsFile file;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") {
      if (!entry.is_object()) return Damaged(name, "__metadata__ is not an object");
      for (const auto& [meta, value] : entry.items()) {
        if (!value.is_string()) return Damaged(name, fmt::format("metadata '{}' is not text", meta));
        file.metadata[meta] = value.get<std::string>();
      }
      continue;
    }
    ASSIGN_OR_RETURN(file.tensors[key], ReadTensor(name, key, entry, data));
  }
  RETURN_IF_ERROR(CheckCover(name, header, data.size()));
  return file;
}

absl::StatusOr<SafetensorsFile> ReadSafetensors(const std::string& path) {
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
  return ParseSafetensors(bytes, path);
}

absl::Status WriteSafetensors(const std::string& path, const SafetensorsFile& file) {
  Json header = Json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::string data;
  for (const auto& [name, tensor] : file.tensors) {
    const char* dtype = NameOf(tensor.scalar_type());
    if (dtype == nullptr) return absl::InvalidArgumentError(fmt::format("{}: tensor '{}' has a dtype that is not stored", path, name));
    at::Tensor dense = tensor.detach().contiguous();
    size_t begin = data.size();
    data.append(static_cast<const char*>(dense.const_data_ptr()), dense.nbytes());
    header[name] = {{"dtype", dtype}, {"shape", dense.sizes().vec()}, {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  uint64_t header_bytes = text.size();
  std::string content(reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes);
  content += text;
  content += data;
  return WriteFileAtomically(path, content);
}

}  // namespace ridgeline
