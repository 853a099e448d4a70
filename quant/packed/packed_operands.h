// SPDX-License-Identifier: Apache-2.0
// What a product is made of: rows of a packed matrix and inputs, in a form that a kernel multiplies fast.
#pragma once

#include <cstdint>

namespace ridgeline {

// What numbers are multiplied as.
//   kWholes  whole numbers of 8 bits by ones of 16
//   kRaised  whole numbers without a sign by ones with one, both bytes, four to a word; inputs lie in lanes
//   kPairs   whole numbers of 16 bits, two to a word; inputs lie in lanes
//   kSigns   sums of 2^p (2 bit_p - 1), odd numbers of few bits: where bits differ is counted, words at a time;
//            inputs lie in lanes where they are many
//   kNibbles the same, four signs at a time, for many inputs
//   kCodes   codes as a file has them by bytes or pairs of them, for few inputs
//   kGroups  joint codes of sparse groups as a file has them, for few inputs: lookups
enum class Form { kWholes, kRaised, kPairs, kSigns, kNibbles, kCodes, kGroups };

// Inputs lie side by side in lanes, so many at a time: word after word of the first ones, then of the next.
inline constexpr int64_t kLanes = 16, kNibbleLanes = 64;

// Of one row, cut into segments whose weights and whose inputs have one scale each: w = scale[s] whole + base[s].
struct PackedRow {
  // kWholes: int8 (features). kRaised: bytes (features, filled up with any to a multiple of 4). kPairs: int16
  // (features, likewise to one of 2). kSigns: bits (planes, features), the lowest plane first. kNibbles: of those four
  // in the higher half of a byte. kCodes, kGroups: codes, of which up to 32 bytes more may be read.
  const void* numbers = nullptr;
  const float* scales = nullptr;  // (segments)
  const float* bases = nullptr;   // (segments); null: all 0.
  const float* sums = nullptr;    // (segments): of wholes. For inputs that have bases.
};

// Codes that are multiplied as they lie.
struct CodeKind {
  int bits = 0;  // kCodes: 1, 2, 4 or 8. kGroups: of a pair of groups.
  bool has_sign = false;
  int pair = 0;  // kGroups: numbers of one.
};

// Inputs, `count` rows: x = scale whole + base in each segment.
struct PackedInputs {
  Form form = Form::kWholes;
  int64_t count = 0;
  int64_t features = 0;
  int64_t segment = 0;  // Numbers of one; the last of a row may be shorter.
  int64_t segments = 0;
  // scales[s * segment_stride + c * input_stride]; likewise bases and sums. Many have numbers for all lanes.
  int64_t segment_stride = 0, input_stride = 0;
  const float* scales = nullptr;    // Of wholes.
  const float* bases = nullptr;     // Of wholes; null: all 0.
  const float* sums = nullptr;      // Of x.
  const int16_t* wholes = nullptr;  // (count, wholes_stride), with zeros behind the features. Always there.
  int64_t wholes_stride = 0;
  // kRaised: bytes (lanes of inputs, features / 4, kLanes, 4). kPairs: int16 (lanes of inputs, features / 2, kLanes,
  // 2). kSigns: words of 32 bits (lanes of inputs, input_planes, features / 32, kLanes), or of few inputs (count,
  // input_planes, features / 32). kNibbles: bytes of four signs (lanes of inputs, input_planes, features / 4,
  // kNibbleLanes). kCodes of less than 8 bits: bytes in the order that codes leave theirs in (code_products.cc).
  // kGroups: whole numbers of 16 or 32 bits (count, pairs, 2^bits), products of a pair's codes.
  const void* arranged = nullptr;
  int weight_planes = 1, input_planes = 1;  // kSigns, kNibbles
  bool are_in_lanes = false;                // kSigns
  int64_t additions = 0;                    // kRaised: so many pairs of products fit in 15 bits and a sign.
  CodeKind codes;                           // kCodes, kGroups
  int input_bytes = 1;                      // kCodes of less than 8 bits: of a whole. kGroups: of a product.

  float scale(int64_t s, int64_t c) const { return scales[s * segment_stride + c * input_stride]; }
};

}  // namespace ridgeline
