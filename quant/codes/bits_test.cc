// SPDX-License-Identifier: Apache-2.0
#include "quant/codes/bits.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace ridgeline {
namespace {

std::vector<uint8_t> RandomCodes(int64_t n, int limit) {
  std::mt19937 engine(static_cast<unsigned>(n + limit));
  std::uniform_int_distribution<int> code(0, limit - 1);
  std::vector<uint8_t> codes(static_cast<size_t>(n));
  for (uint8_t& value : codes) value = static_cast<uint8_t>(code(engine));
  return codes;
}

TEST(BitsTest, EveryWidthAndLengthIsPackedAsItsTwinDoesAndComesBack) {
  for (int bits = 1; bits <= 8; ++bits)
    for (int64_t n : {0, 1, 7, 8, 9, 63, 64, 129}) {
      const std::vector<uint8_t> codes = RandomCodes(n, 1 << bits);
      std::vector<uint8_t> packed(static_cast<size_t>(BytesOfBits(n * bits)), 0xAA), by_ref(packed.size(), 0x55);
      PackBits(codes.data(), n, bits, packed.data());
      PackBits_ref(codes.data(), n, bits, by_ref.data());
      EXPECT_EQ(packed, by_ref) << bits << " bits, " << n;
      std::vector<uint8_t> unpacked(codes.size()), unpacked_by_ref(codes.size());
      UnpackBits(packed.data(), n, bits, unpacked.data());
      UnpackBits_ref(packed.data(), n, bits, unpacked_by_ref.data());
      EXPECT_EQ(unpacked, codes) << bits << " bits, " << n;
      EXPECT_EQ(unpacked_by_ref, codes) << bits << " bits, " << n;
    }
}

TEST(BitsTest, TheFirstFieldIsInTheLowestBits) {
  const std::vector<uint8_t> codes = {1, 2, 7};
  uint8_t bytes[2];
  PackBits(codes.data(), 3, 3, bytes);
  EXPECT_EQ(bytes[0], 1 | 2 << 3 | (7 & 3) << 6);
  EXPECT_EQ(bytes[1], 7 >> 2);
}

TEST(BitsTest, FiveTernaryCodesAreAByte) {
  for (int64_t n : {1, 4, 5, 6, 128}) {
    const std::vector<uint8_t> codes = RandomCodes(n, 3);
    std::vector<uint8_t> bytes(static_cast<size_t>((n + 4) / 5)), back(codes.size());
    PackTrits(codes.data(), n, bytes.data());
    UnpackTrits(bytes.data(), n, back.data());
    EXPECT_EQ(back, codes);
    for (uint8_t byte : bytes) EXPECT_LE(byte, kLargestTritByte);
  }
}

TEST(BitsTest, FieldsOfAnyWidthAreReadAsTheyWereWritten) {
  std::mt19937_64 engine(1);
  std::vector<std::pair<uint64_t, int>> fields;
  for (int bits = 1; bits <= 64; ++bits) fields.emplace_back(engine() >> (64 - bits), bits);
  std::vector<uint8_t> bytes(64 * 65 / 2 / 8 + 1, 0);
  BitWriter writer(bytes.data());
  for (const auto& [value, bits] : fields) writer.Write(value, bits);
  BitReader reader(bytes.data(), static_cast<int64_t>(bytes.size()));
  for (const auto& [value, bits] : fields) EXPECT_EQ(reader.Read(bits), value) << bits;
}

}  // namespace
}  // namespace ridgeline
