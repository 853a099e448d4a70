// SPDX-License-Identifier: Apache-2.0
// Protobuf's wire format without libprotobuf (sentencepiece_vocabulary.h says why).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ridgeline {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  uint64_t value = 0;      // Varint and fixed fields
  std::string_view bytes;  // kBytes; points into what was read
};

// Reads one field after the other. Safe on any input.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}
  // False at the end, or where the bytes are no field: then ok() is false.
  bool Next(WireField* field);
  bool ok() const { return ok_; }

 private:
  bool ReadVarint(uint64_t* value);
  bool ReadFixed(size_t size, uint64_t* value);
  bool ReadPayload(WireField* field);

  std::string_view rest_;
  bool ok_ = true;
};

void WriteVarint(uint32_t number, uint64_t value, std::string* bytes);
void WriteFloat(uint32_t number, float value, std::string* bytes);
void WriteBytes(uint32_t number, std::string_view value, std::string* bytes);

}  // namespace ridgeline
