// SPDX-License-Identifier: Apache-2.0
// What one element, or one block of elements, of a stored tensor is; the names that the two file formats give it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ridgeline {

// Plain types, then ggml's block types: a block shares one scale (and, for Q*_1 and _K, an offset).
enum class Dtype : uint8_t {
  kF64,
  kF32,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kTQ1_0,
  kTQ2_0,
  kMXFP4,
  kQ1_0,
  kQ2_0,
};

// "F32", "Q4_K": what people and error messages say.
std::string_view DtypeName(Dtype dtype);

// 1 for plain types, 32 for most Q*_0, Q*_1 and MXFP4, 64 for Q2_0, 128 for Q1_0, 256 for Q*_K and TQ*; bytes of one
// such block.
int64_t BlockElements(Dtype dtype);
int64_t BlockBytes(Dtype dtype);
inline bool IsBlockDtype(Dtype dtype) { return BlockElements(dtype) > 1; }

// Nothing if the count is negative, not made of whole blocks, or the bytes overflow.
std::optional<uint64_t> BytesOfElements(Dtype dtype, int64_t elements);

// Shapes are outermost first; blocks lie along the last dimension. {} is one element. Nothing if a size is negative,
// the last dimension is not made of whole blocks, or a product overflows.
std::optional<int64_t> ElementsOfShape(std::span<const int64_t> shape);
std::optional<uint64_t> BytesOfShape(Dtype dtype, std::span<const int64_t> shape);

// The formats' own names. Nothing (or an empty name) if the format or Ridgeline does not know the type.
std::string_view SafetensorsName(Dtype dtype);
std::optional<Dtype> DtypeFromSafetensors(std::string_view name);
std::optional<uint32_t> GgufId(Dtype dtype);
std::optional<Dtype> DtypeFromGguf(uint32_t id);

// "F64, F32, ...": the types that a format can hold, for error messages.
std::string SafetensorsDtypes();
std::string GgufDtypes();

}  // namespace ridgeline
