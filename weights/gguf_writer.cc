// SPDX-License-Identifier: Apache-2.0
#include "weights/gguf_writer.h"

#include <type_traits>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "weights/gguf_contents.h"

namespace ridgeline {
namespace {

constexpr char kMagic[] = "GGUF";
constexpr uint32_t kVersion = 3;
constexpr size_t kMaxDimensions = 4;
constexpr size_t kMaxNameBytes = 63;  // llama.cpp holds names in 64 bytes

template <typename T>
void Put(T value, std::string* bytes) {
  static_assert(std::is_arithmetic_v<T>);
  bytes->append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PutType(GgufType type, std::string* bytes) { Put(static_cast<uint32_t>(type), bytes); }

void PutText(std::string_view text, std::string* bytes) {
  Put<uint64_t>(text.size(), bytes);
  bytes->append(text);
}

template <typename T>
std::string Scalar(GgufType type, T value) {
  std::string bytes;
  PutType(type, &bytes);
  Put(value, &bytes);
  return bytes;
}

std::string ArrayHead(GgufType type, uint64_t count) {
  std::string bytes;
  PutType(GgufType::kArray, &bytes);
  PutType(type, &bytes);
  Put(count, &bytes);
  return bytes;
}

template <typename T>
std::string Array(GgufType type, std::span<const T> values) {
  std::string bytes = ArrayHead(type, values.size());
  for (T value : values) Put(value, &bytes);
  return bytes;
}

uint64_t Padded(uint64_t bytes) {
  return (bytes + kGgufDefaultAlignment - 1) / kGgufDefaultAlignment * kGgufDefaultAlignment;
}

absl::Status CheckStorable(const std::string& path, const std::vector<TensorDeclaration>& tensors) {
  for (const TensorDeclaration& tensor : tensors) {
    auto invalid = [&](std::string_view what) {
      return absl::InvalidArgumentError(fmt::format("{}: tensor '{}' {}", path, tensor.name, what));
    };
    if (!GgufId(tensor.dtype))
      return invalid(fmt::format("is {}, which GGUF cannot hold; it can: {}", DtypeName(tensor.dtype), GgufDtypes()));
    if (tensor.shape.size() > kMaxDimensions)
      return invalid(fmt::format("has more than {} dimensions", kMaxDimensions));
    if (tensor.name.size() > kMaxNameBytes)
      return invalid(fmt::format("has a name of more than {} bytes", kMaxNameBytes));
  }
  return absl::OkStatus();
}

void PutInfo(const TensorDeclaration& tensor, uint64_t offset_bytes, std::string* bytes) {
  PutText(tensor.name, bytes);
  Put(static_cast<uint32_t>(tensor.shape.size()), bytes);
  for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) Put(*size, bytes);
  Put(*GgufId(tensor.dtype), bytes);
  Put(offset_bytes, bytes);
}

// All before the data, with its padding.
std::string Header(const GgufMetadata& metadata, const DeclaredTensors& tensors) {
  std::string bytes(kMagic);
  Put(kVersion, &bytes);
  Put<uint64_t>(tensors.tensors().size(), &bytes);
  Put<uint64_t>(metadata.encoded().size(), &bytes);
  for (const auto& [key, value] : metadata.encoded()) {
    PutText(key, &bytes);
    bytes += value;
  }
  uint64_t offset_bytes = 0;
  for (size_t i = 0; i < tensors.tensors().size(); ++i) {
    PutInfo(tensors.tensors()[i], offset_bytes, &bytes);
    offset_bytes += Padded(tensors.bytes_of(i));
  }
  bytes.resize(Padded(bytes.size()));
  return bytes;
}

}  // namespace

void GgufMetadata::SetString(const std::string& key, std::string_view value) {
  std::string& bytes = encoded_[key];
  bytes.clear();
  PutType(GgufType::kString, &bytes);
  PutText(value, &bytes);
}

void GgufMetadata::SetUint32(const std::string& key, uint32_t value) {
  encoded_[key] = Scalar(GgufType::kUint32, value);
}
void GgufMetadata::SetUint64(const std::string& key, uint64_t value) {
  encoded_[key] = Scalar(GgufType::kUint64, value);
}
void GgufMetadata::SetInt32(const std::string& key, int32_t value) { encoded_[key] = Scalar(GgufType::kInt32, value); }
void GgufMetadata::SetFloat(const std::string& key, float value) { encoded_[key] = Scalar(GgufType::kFloat32, value); }
void GgufMetadata::SetBool(const std::string& key, bool value) {
  encoded_[key] = Scalar(GgufType::kBool, static_cast<uint8_t>(value));
}

void GgufMetadata::SetStringArray(const std::string& key, std::span<const std::string_view> values) {
  std::string bytes = ArrayHead(GgufType::kString, values.size());
  for (std::string_view value : values) PutText(value, &bytes);
  encoded_[key] = std::move(bytes);
}

void GgufMetadata::SetFloatArray(const std::string& key, std::span<const float> values) {
  encoded_[key] = Array(GgufType::kFloat32, values);
}

void GgufMetadata::SetInt32Array(const std::string& key, std::span<const int32_t> values) {
  encoded_[key] = Array(GgufType::kInt32, values);
}

void GgufMetadata::CopyFrom(const GgufFile& file, std::string_view prefix) {
  for (const auto& [key, value] : file.values()) {
    if (!key.starts_with(prefix) || key == kGgufAlignmentKey) continue;
    std::string bytes;
    if (value.is_array)
      bytes = ArrayHead(value.type, value.count);
    else
      PutType(value.type, &bytes);
    encoded_[key] = bytes.append(value.bytes);
  }
}

absl::StatusOr<std::unique_ptr<GgufWriter>> GgufWriter::Create(const std::string& path, const GgufMetadata& metadata,
                                                               std::vector<TensorDeclaration> tensors) {
  ASSIGN_OR_RETURN(DeclaredTensors declared, DeclaredTensors::Create(path, std::move(tensors)));
  RETURN_IF_ERROR(CheckStorable(path, declared.tensors()));
  ASSIGN_OR_RETURN(FileWriter file, FileWriter::Create(path));
  RETURN_IF_ERROR(file.Append(Header(metadata, declared)));
  return std::unique_ptr<GgufWriter>(new GgufWriter(std::move(file), std::move(declared)));
}

absl::Status GgufWriter::Pad() {
  return file_.Append(std::string(Padded(file_.size_bytes()) - file_.size_bytes(), '\0'));
}

absl::Status GgufWriter::Append(std::string_view name, std::string_view bytes) {
  ASSIGN_OR_RETURN(const size_t index, tensors_.Take(name, bytes.size()));
  if (index != current_) RETURN_IF_ERROR(Pad());
  current_ = index;
  return file_.Append(bytes);
}

absl::Status GgufWriter::Finish() {
  RETURN_IF_ERROR(tensors_.CheckComplete());
  RETURN_IF_ERROR(Pad());
  RETURN_IF_ERROR(file_.Close());
  return file_.Publish();
}

}  // namespace ridgeline
