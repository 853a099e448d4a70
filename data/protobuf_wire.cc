// SPDX-License-Identifier: Apache-2.0
#include "data/protobuf_wire.h"

#include <bit>
#include <cstring>

namespace ridgeline {
namespace {

constexpr int kMaxVarintBytes = 10;

static_assert(std::endian::native == std::endian::little, "fixed fields are copied as they lie on the wire");

void AppendVarint(uint64_t value, std::string* bytes) {
  for (; value >= 0x80; value >>= 7) bytes->push_back(static_cast<char>(value | 0x80));
  bytes->push_back(static_cast<char>(value));
}

void AppendTag(uint32_t number, WireType type, std::string* bytes) {
  AppendVarint(uint64_t{number} << 3 | static_cast<uint8_t>(type), bytes);
}

}  // namespace

bool WireReader::ReadVarint(uint64_t* value) {
  *value = 0;
  for (int i = 0; i < kMaxVarintBytes && !rest_.empty(); ++i) {
    const uint8_t byte = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    *value |= uint64_t{byte & 0x7Fu} << (7 * i);
    if (byte < 0x80) return true;
  }
  return false;
}

bool WireReader::ReadFixed(size_t size, uint64_t* value) {
  if (rest_.size() < size) return false;
  *value = 0;
  std::memcpy(value, rest_.data(), size);
  rest_.remove_prefix(size);
  return true;
}

bool WireReader::ReadPayload(WireField* field) {
  switch (field->type) {
    case WireType::kVarint:
      return ReadVarint(&field->value);
    case WireType::kFixed64:
      return ReadFixed(sizeof(uint64_t), &field->value);
    case WireType::kFixed32:
      return ReadFixed(sizeof(uint32_t), &field->value);
    case WireType::kBytes:
      break;
    default:
      return false;
  }
  uint64_t size = 0;
  if (!ReadVarint(&size) || size > rest_.size()) return false;
  field->bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool WireReader::Next(WireField* field) {
  if (!ok_ || rest_.empty()) return false;
  uint64_t tag = 0;
  ok_ = ReadVarint(&tag) && tag >> 3 != 0 && tag >> 32 == 0;
  *field = {.number = static_cast<uint32_t>(tag >> 3), .type = static_cast<WireType>(tag & 7)};
  ok_ = ok_ && ReadPayload(field);
  return ok_;
}

void WriteVarint(uint32_t number, uint64_t value, std::string* bytes) {
  AppendTag(number, WireType::kVarint, bytes);
  AppendVarint(value, bytes);
}

void WriteFloat(uint32_t number, float value, std::string* bytes) {
  AppendTag(number, WireType::kFixed32, bytes);
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  bytes->append(raw, sizeof raw);
}

void WriteBytes(uint32_t number, std::string_view value, std::string* bytes) {
  AppendTag(number, WireType::kBytes, bytes);
  AppendVarint(value.size(), bytes);
  bytes->append(value);
}

}  // namespace ridgeline
