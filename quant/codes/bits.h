// SPDX-License-Identifier: Apache-2.0
// Fields of a few bits in bytes, one after the other from the lowest bit of the first byte on, without gaps: field i of
// B bits lies in bits i B .. i B + B - 1. No state; any thread.
#pragma once

#include <cstdint>

namespace ridgeline {

inline int64_t BytesOfBits(int64_t bits) { return (bits + 7) / 8; }

// n codes of `bits` bits, 1 to 8, to BytesOfBits(n bits) bytes; what is left of the last one is 0.
void PackBits(const uint8_t* codes, int64_t n, int bits, uint8_t* bytes);
void PackBits_ref(const uint8_t* codes, int64_t n, int bits, uint8_t* bytes);

// And back.
void UnpackBits(const uint8_t* bytes, int64_t n, int bits, uint8_t* codes);
void UnpackBits_ref(const uint8_t* bytes, int64_t n, int bits, uint8_t* codes);

// Codes 0, 1 and 2, five in a byte: d0 + 3 d1 + 9 d2 + 27 d3 + 81 d4. The last byte's missing ones are 0.
void PackTrits(const uint8_t* codes, int64_t n, uint8_t* bytes);
// A byte beyond 242 gives what 242 does.
void UnpackTrits(const uint8_t* bytes, int64_t n, uint8_t* codes);
inline constexpr int kTritsPerByte = 5;
inline constexpr uint8_t kLargestTritByte = 242;

// Writes fields of up to 64 bits to memory that is 0 before.
class BitWriter {
 public:
  explicit BitWriter(uint8_t* bytes) : bytes_(bytes) {}
  void Write(uint64_t value, int bits);

 private:
  uint8_t* bytes_;
  int64_t at_ = 0;
};

class BitReader {
 public:
  BitReader(const uint8_t* bytes, int64_t size) : bytes_(bytes), size_(size) {}
  uint64_t Read(int bits);

 private:
  const uint8_t* bytes_;
  int64_t size_;  // Bytes that may be read.
  int64_t at_ = 0;
};

}  // namespace ridgeline
