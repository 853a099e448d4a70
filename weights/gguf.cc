// SPDX-License-Identifier: Apache-2.0
// Typed access to GGUF metadata that the parser has checked.
#include "weights/gguf.h"

#include <cstring>
#include <utility>

#include "common/status_macros.h"
#include "weights/gguf_contents.h"

namespace ridgeline {
namespace {

template <typename T>
T ReadAs(const char* place) {
  T value;
  std::memcpy(&value, place, sizeof value);
  return value;
}

bool IsFloat(GgufType type) { return type == GgufType::kFloat32 || type == GgufType::kFloat64; }

// Element `index` of a value, whose bytes may lie anywhere. Nothing if it is no integer or beyond int64.
std::optional<int64_t> IntegerAt(const GgufValue& value, uint64_t index) {
  const char* bytes = value.bytes.data();
  switch (value.type) {
    case GgufType::kUint8:
    case GgufType::kBool:
      return ReadAs<uint8_t>(bytes + index);
    case GgufType::kInt8:
      return ReadAs<int8_t>(bytes + index);
    case GgufType::kUint16:
      return ReadAs<uint16_t>(bytes + 2 * index);
    case GgufType::kInt16:
      return ReadAs<int16_t>(bytes + 2 * index);
    case GgufType::kUint32:
      return ReadAs<uint32_t>(bytes + 4 * index);
    case GgufType::kInt32:
      return ReadAs<int32_t>(bytes + 4 * index);
    case GgufType::kInt64:
      return ReadAs<int64_t>(bytes + 8 * index);
    case GgufType::kUint64: {
      const uint64_t wide = ReadAs<uint64_t>(bytes + 8 * index);
      return wide > INT64_MAX ? std::nullopt : std::optional<int64_t>(wide);
    }
    default:
      return std::nullopt;
  }
}

std::optional<double> FloatAt(const GgufValue& value, uint64_t index) {
  if (value.type == GgufType::kFloat32) return ReadAs<float>(value.bytes.data() + 4 * index);
  if (value.type == GgufType::kFloat64) return ReadAs<double>(value.bytes.data() + 8 * index);
  return std::nullopt;
}

// The value of the key if it is of the wanted kind.
const GgufValue* FindValue(const GgufValues& values, std::string_view key, bool is_array) {
  const auto at = values.find(key);
  return at != values.end() && at->second.is_array == is_array ? &at->second : nullptr;
}

// The text that begins at `*at` behind its length; moves `*at` behind it.
std::string_view TextAt(std::string_view bytes, size_t* at) {
  const uint64_t size = ReadAs<uint64_t>(bytes.data() + *at);
  const std::string_view text = bytes.substr(*at + sizeof size, size);
  *at += sizeof size + size;
  return text;
}

std::map<std::string, std::string> TextsOf(const GgufValues& values) {
  std::map<std::string, std::string> texts;
  for (const auto& [key, value] : values) {
    size_t at = 0;
    if (value.type == GgufType::kString && !value.is_array) texts[key] = TextAt(value.bytes, &at);
  }
  return texts;
}

WeightFile::Contents WithTexts(WeightFile::Contents contents, const GgufValues& values) {
  contents.metadata = TextsOf(values);
  return contents;
}

}  // namespace

GgufFile::GgufFile(Contents contents, GgufValues values)
    : WeightFile(WithTexts(std::move(contents), values)), values_(std::move(values)) {}

std::optional<std::string_view> GgufFile::FindString(std::string_view key) const {
  const GgufValue* value = FindValue(values_, key, /*is_array=*/false);
  if (value == nullptr || value->type != GgufType::kString) return std::nullopt;
  size_t at = 0;
  return TextAt(value->bytes, &at);
}

std::optional<uint64_t> GgufFile::FindUint(std::string_view key) const {
  const GgufValue* value = FindValue(values_, key, /*is_array=*/false);
  if (value == nullptr || value->type == GgufType::kBool) return std::nullopt;
  if (value->type == GgufType::kUint64) return ReadAs<uint64_t>(value->bytes.data());
  const std::optional<int64_t> integer = IntegerAt(*value, 0);
  return integer && *integer >= 0 ? std::optional<uint64_t>(*integer) : std::nullopt;
}

std::optional<double> GgufFile::FindFloat(std::string_view key) const {
  const GgufValue* value = FindValue(values_, key, /*is_array=*/false);
  return value == nullptr ? std::nullopt : FloatAt(*value, 0);
}

std::optional<bool> GgufFile::FindBool(std::string_view key) const {
  const GgufValue* value = FindValue(values_, key, /*is_array=*/false);
  if (value == nullptr || value->type != GgufType::kBool) return std::nullopt;
  return value->bytes[0] != 0;
}

std::optional<std::vector<std::string_view>> GgufFile::FindStringArray(std::string_view key) const {
  const GgufValue* value = FindValue(values_, key, /*is_array=*/true);
  if (value == nullptr || value->type != GgufType::kString) return std::nullopt;
  std::vector<std::string_view> texts;
  texts.reserve(value->count);
  size_t at = 0;
  for (uint64_t i = 0; i < value->count; ++i) texts.push_back(TextAt(value->bytes, &at));
  return texts;
}

std::optional<std::vector<float>> GgufFile::FindFloatArray(std::string_view key) const {
  const GgufValue* value = FindValue(values_, key, /*is_array=*/true);
  if (value == nullptr || !IsFloat(value->type)) return std::nullopt;
  std::vector<float> numbers;
  numbers.reserve(value->count);
  for (uint64_t i = 0; i < value->count; ++i) numbers.push_back(static_cast<float>(*FloatAt(*value, i)));
  return numbers;
}

std::optional<std::vector<int64_t>> GgufFile::FindIntArray(std::string_view key) const {
  const GgufValue* value = FindValue(values_, key, /*is_array=*/true);
  if (value == nullptr || value->type == GgufType::kString || IsFloat(value->type)) return std::nullopt;
  std::vector<int64_t> integers;
  for (uint64_t i = 0; i < value->count; ++i) {
    const std::optional<int64_t> integer = IntegerAt(*value, i);
    if (!integer) return std::nullopt;
    integers.push_back(*integer);
  }
  return integers;
}

absl::StatusOr<std::unique_ptr<GgufFile>> ParseGguf(std::string_view bytes, const std::string& name) {
  ASSIGN_OR_RETURN(GgufContents contents, ParseGgufContents(bytes, name));
  return std::make_unique<GgufFile>(std::move(contents.file), std::move(contents.values));
}

}  // namespace ridgeline
