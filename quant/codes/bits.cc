// SPDX-License-Identifier: Apache-2.0
#include "quant/codes/bits.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace ridgeline {
namespace {

// Eight codes of kBits bits are kBits bytes.
template <int kBits>
void PackEights(const uint8_t* codes, int64_t n, uint8_t* bytes) {
  for (int64_t i = 0; i + 8 <= n; i += 8, bytes += kBits) {
    uint64_t word = 0;
    for (int k = 0; k < 8; ++k) word |= static_cast<uint64_t>(codes[i + k]) << (k * kBits);
    for (int k = 0; k < kBits; ++k) bytes[k] = static_cast<uint8_t>(word >> (8 * k));
  }
}

template <int kBits>
void UnpackEights(const uint8_t* bytes, int64_t n, uint8_t* codes) {
  constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
  for (int64_t i = 0; i + 8 <= n; i += 8, bytes += kBits) {
    uint64_t word = 0;
    for (int k = 0; k < kBits; ++k) word |= static_cast<uint64_t>(bytes[k]) << (8 * k);
    for (int k = 0; k < 8; ++k) codes[i + k] = static_cast<uint8_t>((word >> (k * kBits)) & kMask);
  }
}

// Calls function.operator()<bits>().
template <typename Function>
void WithBits(int bits, const Function& function) {
  switch (bits) {
    case 1:
      return function.template operator()<1>();
    case 2:
      return function.template operator()<2>();
    case 3:
      return function.template operator()<3>();
    case 4:
      return function.template operator()<4>();
    case 5:
      return function.template operator()<5>();
    case 6:
      return function.template operator()<6>();
    case 7:
      return function.template operator()<7>();
    default:
      return function.template operator()<8>();
  }
}

constexpr std::array<uint8_t, kTritsPerByte> kPowersOfThree = {1, 3, 9, 27, 81};

using TritTable = std::array<std::array<uint8_t, kTritsPerByte>, 256>;

constexpr TritTable MakeTritTable() {
  TritTable table{};
  for (int byte = 0; byte < 256; ++byte)
    for (size_t i = 0; i < kTritsPerByte; ++i)
      table[static_cast<size_t>(byte)][i] =
          static_cast<uint8_t>(std::min<int>(byte, kLargestTritByte) / kPowersOfThree[i] % 3);
  return table;
}
constexpr TritTable kTrits = MakeTritTable();

}  // namespace

void PackBits(const uint8_t* codes, int64_t n, int bits, uint8_t* bytes) {
  WithBits(bits, [&]<int kBits>() { PackEights<kBits>(codes, n, bytes); });
  const int64_t done = n / 8 * 8;
  PackBits_ref(codes + done, n - done, bits, bytes + done / 8 * bits);
}

void PackBits_ref(const uint8_t* codes, int64_t n, int bits, uint8_t* bytes) {
  std::fill_n(bytes, BytesOfBits(n * bits), uint8_t{0});
  for (int64_t i = 0; i < n * bits; ++i) {
    const int bit = (codes[i / bits] >> (i % bits)) & 1;
    bytes[i / 8] = static_cast<uint8_t>(bytes[i / 8] | bit << (i % 8));
  }
}

void UnpackBits(const uint8_t* bytes, int64_t n, int bits, uint8_t* codes) {
  WithBits(bits, [&]<int kBits>() { UnpackEights<kBits>(bytes, n, codes); });
  const int64_t done = n / 8 * 8;
  UnpackBits_ref(bytes + done / 8 * bits, n - done, bits, codes + done);
}

void UnpackBits_ref(const uint8_t* bytes, int64_t n, int bits, uint8_t* codes) {
  std::fill_n(codes, n, uint8_t{0});
  for (int64_t i = 0; i < n * bits; ++i) {
    const int bit = (bytes[i / 8] >> (i % 8)) & 1;
    codes[i / bits] = static_cast<uint8_t>(codes[i / bits] | bit << (i % bits));
  }
}

void PackTrits(const uint8_t* codes, int64_t n, uint8_t* bytes) {
  for (int64_t begin = 0; begin < n; begin += kTritsPerByte) {
    int byte = 0;
    for (int64_t i = begin; i < std::min(begin + kTritsPerByte, n); ++i)
      byte += codes[i] * kPowersOfThree[static_cast<size_t>(i - begin)];
    *bytes++ = static_cast<uint8_t>(byte);
  }
}

void UnpackTrits(const uint8_t* bytes, int64_t n, uint8_t* codes) {
  for (int64_t begin = 0; begin < n; begin += kTritsPerByte)
    std::memcpy(codes + begin, kTrits[*bytes++].data(),
                static_cast<size_t>(std::min<int64_t>(kTritsPerByte, n - begin)));
}

void BitWriter::Write(uint64_t value, int bits) {
  for (int done = 0; done < bits;) {
    const int offset = static_cast<int>(at_ % 8), here = std::min(8 - offset, bits - done);
    const uint64_t part = (value >> done) & ((uint64_t{1} << here) - 1);
    bytes_[at_ / 8] = static_cast<uint8_t>(bytes_[at_ / 8] | part << offset);
    at_ += here;
    done += here;
  }
}

uint64_t BitReader::Read(int bits) {
  constexpr int kMostAtOnce = 57;  // Of eight bytes, where the first may begin at its eighth bit.
  if (bits <= kMostAtOnce && at_ / 8 + 8 <= size_) {
    uint64_t word;
    std::memcpy(&word, bytes_ + at_ / 8, sizeof(word));
    word = (word >> (at_ % 8)) & ((uint64_t{1} << bits) - 1);
    at_ += bits;
    return word;
  }
  uint64_t value = 0;
  for (int done = 0; done < bits;) {
    const int offset = static_cast<int>(at_ % 8), here = std::min(8 - offset, bits - done);
    const uint64_t part = (static_cast<uint64_t>(bytes_[at_ / 8]) >> offset) & ((uint64_t{1} << here) - 1);
    value |= part << done;
    at_ += here;
    done += here;
  }
  return value;
}

}  // namespace ridgeline
