// SPDX-License-Identifier: Apache-2.0
// GGUF bytes to checked contents: magic, version, counts, key/value pairs, tensor infos, padding, data.
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "weights/checks.h"
#include "weights/gguf_contents.h"

namespace ridgeline {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint32_t kMaxDimensions = 4;   // ggml's tensors have no more
constexpr uint32_t kLastGgmlType = 42;   // Ids up to here are ggml's; Ridgeline decodes some

absl::Status Damaged(std::string_view what) { return absl::DataLossError(fmt::format("{}", what)); }

// Takes values off the front of the file; nothing once it is too short.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : all_(bytes), rest_(bytes) {}

  template <typename T>
  std::optional<T> Take() {
    T value;
    if (rest_.size() < sizeof value) return std::nullopt;
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::optional<std::string_view> TakeBytes(uint64_t count) {
    if (count > rest_.size()) return std::nullopt;
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }
  std::optional<std::string_view> TakeText() {
    const std::optional<uint64_t> size_bytes = Take<uint64_t>();
    return size_bytes ? TakeBytes(*size_bytes) : std::nullopt;
  }

  size_t place() const { return all_.size() - rest_.size(); }
  // What was taken since the reader was at `place`.
  std::string_view Since(size_t place) const { return all_.substr(place, this->place() - place); }

 private:
  std::string_view all_, rest_;
};

absl::Status Short(const Reader& reader, std::string_view what) {
  return Damaged(fmt::format("it ends inside {} (after byte {})", what, reader.place()));
}

absl::StatusOr<std::string> ReadName(Reader* reader, std::string_view what) {
  const std::optional<std::string_view> name = reader->TakeText();
  if (!name) return Short(*reader, what);
  if (!IsCleanName(*name))
    return Damaged(fmt::format("{} before byte {} is empty, holds NUL or is not UTF-8", what, reader->place()));
  return std::string(*name);
}

// `count` elements; their number is only believed as far as there are bytes for them.
absl::Status SkipElements(GgufType type, uint64_t count, std::string_view key, Reader* reader) {
  if (type == GgufType::kString) {
    for (uint64_t i = 0; i < count; ++i)
      if (!reader->TakeText()) return Short(*reader, fmt::format("the text of key '{}'", key));
    return absl::OkStatus();
  }
  const uint64_t element_bytes = GgufElementBytes(type);
  if (element_bytes == 0)
    return Damaged(fmt::format("key '{}' has the unknown type {}", key, static_cast<uint32_t>(type)));
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(element_bytes, count, &bytes) || !reader->TakeBytes(bytes))
    return Short(*reader, fmt::format("the {} elements of key '{}'", count, key));
  return absl::OkStatus();
}

absl::StatusOr<GgufValue> ReadValue(std::string_view key, Reader* reader) {
  std::optional<uint32_t> type = reader->Take<uint32_t>();
  if (!type) return Short(*reader, fmt::format("the type of key '{}'", key));
  GgufValue value;
  value.is_array = *type == static_cast<uint32_t>(GgufType::kArray);
  if (value.is_array) {
    type = reader->Take<uint32_t>();
    const std::optional<uint64_t> count = reader->Take<uint64_t>();
    if (!count) return Short(*reader, fmt::format("the array of key '{}'", key));
    if (*type == static_cast<uint32_t>(GgufType::kArray))
      return Damaged(fmt::format("key '{}' holds arrays in an array", key));
    value.count = *count;
  }
  value.type = static_cast<GgufType>(*type);
  const size_t begin = reader->place();
  RETURN_IF_ERROR(SkipElements(value.type, value.count, key, reader));
  value.bytes = reader->Since(begin);
  return value;
}

absl::StatusOr<GgufValues> ReadValues(uint64_t count, Reader* reader) {
  GgufValues values;
  for (uint64_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(std::string key, ReadName(reader, "a key"));
    ASSIGN_OR_RETURN(GgufValue value, ReadValue(key, reader));
    if (!values.emplace(key, value).second) return Damaged(fmt::format("key '{}' repeats", key));
  }
  return values;
}

absl::StatusOr<uint64_t> AlignmentOf(const GgufValues& values) {
  const auto at = values.find(kGgufAlignmentKey);
  if (at == values.end()) return kGgufDefaultAlignment;
  if (at->second.is_array || at->second.type != GgufType::kUint32) return Damaged("general.alignment is not a uint32");
  uint32_t alignment = 0;
  std::memcpy(&alignment, at->second.bytes.data(), sizeof alignment);
  if (alignment == 0 || (alignment & (alignment - 1)) != 0)
    return Damaged(fmt::format("general.alignment is {}, not a power of two", alignment));
  return alignment;
}

// Where a tensor is said to lie, before the place of the data is known.
struct TensorInfo {
  TensorView tensor;  // Without bytes
  uint64_t offset_bytes = 0;
};

absl::StatusOr<std::vector<int64_t>> ReadShape(const std::string& name, Reader* reader) {
  const std::optional<uint32_t> dimensions = reader->Take<uint32_t>();
  if (!dimensions) return Short(*reader, fmt::format("the shape of tensor '{}'", name));
  if (*dimensions > kMaxDimensions)
    return Damaged(fmt::format("tensor '{}' has {} dimensions, more than {}", name, *dimensions, kMaxDimensions));
  std::vector<int64_t> shape(*dimensions);
  for (auto size = shape.rbegin(); size != shape.rend(); ++size) {
    const std::optional<int64_t> stored = reader->Take<int64_t>();
    if (!stored) return Short(*reader, fmt::format("the shape of tensor '{}'", name));
    *size = *stored;
  }
  return shape;
}

absl::StatusOr<Dtype> ReadDtype(const std::string& name, Reader* reader) {
  const std::optional<uint32_t> id = reader->Take<uint32_t>();
  if (!id) return Short(*reader, fmt::format("the type of tensor '{}'", name));
  if (const std::optional<Dtype> dtype = DtypeFromGguf(*id)) return *dtype;
  if (*id > kLastGgmlType) return Damaged(fmt::format("tensor '{}' has the unknown type {}", name, *id));
  return absl::UnimplementedError(
      fmt::format("tensor '{}' has ggml type {}; convert the model to one of {}", name, *id, GgufDtypes()));
}

absl::StatusOr<std::vector<TensorInfo>> ReadInfos(uint64_t count, Reader* reader) {
  std::vector<TensorInfo> infos;
  for (uint64_t i = 0; i < count; ++i) {
    TensorInfo info;
    ASSIGN_OR_RETURN(info.tensor.name, ReadName(reader, "a tensor's name"));
    ASSIGN_OR_RETURN(info.tensor.shape, ReadShape(info.tensor.name, reader));
    ASSIGN_OR_RETURN(info.tensor.dtype, ReadDtype(info.tensor.name, reader));
    const std::optional<uint64_t> offset = reader->Take<uint64_t>();
    if (!offset) return Short(*reader, fmt::format("the offset of tensor '{}'", info.tensor.name));
    info.offset_bytes = *offset;
    infos.push_back(std::move(info));
  }
  return infos;
}

absl::StatusOr<std::vector<TensorView>> PlaceTensors(std::vector<TensorInfo> infos, std::string_view data,
                                                     uint64_t alignment) {
  std::vector<TensorView> tensors;
  for (TensorInfo& info : infos) {
    auto damaged = [&](std::string_view what) {
      return Damaged(fmt::format("tensor '{}' {}", info.tensor.name, what));
    };
    const std::optional<uint64_t> bytes = BytesOfShape(info.tensor.dtype, info.tensor.shape);
    if (!bytes) return damaged(fmt::format("has a shape that {} cannot have", DtypeName(info.tensor.dtype)));
    if (info.offset_bytes % alignment != 0)
      return damaged(fmt::format("begins at {}, not a multiple of {}", info.offset_bytes, alignment));
    if (info.offset_bytes > data.size() || *bytes > data.size() - info.offset_bytes)
      return damaged(
          fmt::format("takes {} bytes at {}, outside the {} bytes of data", *bytes, info.offset_bytes, data.size()));
    info.tensor.bytes = data.substr(info.offset_bytes, *bytes);
    tensors.push_back(std::move(info.tensor));
  }
  return tensors;
}

absl::Status CheckVersion(Reader* reader) {
  const std::optional<uint32_t> magic = reader->Take<uint32_t>(), version = reader->Take<uint32_t>();
  if (!version || *magic != kMagic) return Damaged("it does not begin with GGUF and a version");
  if (*version == 2 || *version == 3) return absl::OkStatus();
  if (*version == 1) return absl::UnimplementedError("GGUF version 1; convert the model with a newer tool");
  if ((*version & 0xFFFF) == 0)
    return absl::UnimplementedError("GGUF in big endian; convert the model to little endian");
  return absl::UnimplementedError(fmt::format("GGUF version {}; versions 2 and 3 are read", *version));
}

absl::Status CheckNames(const std::vector<TensorView>& tensors) {
  std::set<std::string_view> seen;
  for (const TensorView& tensor : tensors)
    if (!seen.insert(tensor.name).second) return Damaged(fmt::format("tensor '{}' repeats", tensor.name));
  return absl::OkStatus();
}

absl::StatusOr<GgufContents> ReadContents(std::string_view bytes) {
  Reader reader(bytes);
  RETURN_IF_ERROR(CheckVersion(&reader));
  const std::optional<uint64_t> tensor_count = reader.Take<uint64_t>(), value_count = reader.Take<uint64_t>();
  if (!value_count) return Short(reader, "its counts");
  GgufContents contents;
  ASSIGN_OR_RETURN(contents.values, ReadValues(*value_count, &reader));
  ASSIGN_OR_RETURN(const uint64_t alignment, AlignmentOf(contents.values));
  ASSIGN_OR_RETURN(std::vector<TensorInfo> infos, ReadInfos(*tensor_count, &reader));
  const uint64_t data_begin = (reader.place() + alignment - 1) / alignment * alignment;
  const std::string_view data = data_begin <= bytes.size() ? bytes.substr(data_begin) : bytes.substr(bytes.size());
  ASSIGN_OR_RETURN(contents.file.tensors, PlaceTensors(std::move(infos), data, alignment));
  RETURN_IF_ERROR(CheckNames(contents.file.tensors));
  RETURN_IF_ERROR(CheckLayout(data, contents.file.tensors, Gaps::kAllowed));
  return contents;
}

}  // namespace

uint64_t GgufElementBytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool:
      return 1;
    case GgufType::kUint16:
    case GgufType::kInt16:
      return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32:
      return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      break;
  }
  return 0;
}

absl::StatusOr<GgufContents> ParseGgufContents(std::string_view bytes, const std::string& name) {
  absl::StatusOr<GgufContents> contents = ReadContents(bytes);
  if (contents.ok()) return contents;
  const std::string what(contents.status().message());
  if (absl::IsUnimplemented(contents.status())) return absl::UnimplementedError(fmt::format("{}: {}", name, what));
  return absl::DataLossError(fmt::format("{}: not a whole GGUF file: {}; fetch or write it again", name, what));
}

}  // namespace ridgeline
