// SPDX-License-Identifier: Apache-2.0
#include "weights/dtype.h"

#include <array>

namespace ridgeline {
namespace {

constexpr int kNoId = -1;

struct Traits {
  Dtype dtype;
  std::string_view name;
  std::string_view safetensors_name;
  int gguf_id;
  int64_t block_elements;
  int64_t block_bytes;
};

// Ordered as the enum. Block bytes: halves for scale and offset, high bits, packed codes (docs/formats.md).
constexpr std::array<Traits, 23> kTraits = {{
    {Dtype::kF64, "F64", "F64", 28, 1, 8},
    {Dtype::kF32, "F32", "F32", 0, 1, 4},
    {Dtype::kF16, "F16", "F16", 1, 1, 2},
    {Dtype::kBF16, "BF16", "BF16", 30, 1, 2},
    {Dtype::kI64, "I64", "I64", 27, 1, 8},
    {Dtype::kI32, "I32", "I32", 26, 1, 4},
    {Dtype::kI16, "I16", "I16", 25, 1, 2},
    {Dtype::kI8, "I8", "I8", 24, 1, 1},
    {Dtype::kU8, "U8", "U8", kNoId, 1, 1},
    {Dtype::kBool, "BOOL", "BOOL", kNoId, 1, 1},
    {Dtype::kQ8_0, "Q8_0", "", 8, 32, 2 + 32},
    {Dtype::kQ4_0, "Q4_0", "", 2, 32, 2 + 16},
    {Dtype::kQ4_1, "Q4_1", "", 3, 32, 4 + 16},
    {Dtype::kQ5_0, "Q5_0", "", 6, 32, 2 + 4 + 16},
    {Dtype::kQ5_1, "Q5_1", "", 7, 32, 4 + 4 + 16},
    {Dtype::kQ4_K, "Q4_K", "", 12, 256, 4 + 12 + 128},
    {Dtype::kQ5_K, "Q5_K", "", 13, 256, 4 + 12 + 32 + 128},
    {Dtype::kQ6_K, "Q6_K", "", 14, 256, 128 + 64 + 16 + 2},
    {Dtype::kTQ1_0, "TQ1_0", "", 34, 256, 48 + 4 + 2},
    {Dtype::kTQ2_0, "TQ2_0", "", 35, 256, 64 + 2},
    {Dtype::kMXFP4, "MXFP4", "", 39, 32, 1 + 16},
    {Dtype::kQ1_0, "Q1_0", "", 41, 128, 2 + 16},
    {Dtype::kQ2_0, "Q2_0", "", 42, 64, 2 + 16},
}};

constexpr bool OrderedAsTheEnum() {
  for (size_t i = 0; i < kTraits.size(); ++i)
    if (static_cast<size_t>(kTraits[i].dtype) != i) return false;
  return true;
}
static_assert(OrderedAsTheEnum());

const Traits& TraitsOf(Dtype dtype) { return kTraits[static_cast<size_t>(dtype)]; }

void AppendToList(std::string_view name, std::string* list) {
  if (!list->empty()) *list += ", ";
  list->append(name);
}

}  // namespace

std::string_view DtypeName(Dtype dtype) { return TraitsOf(dtype).name; }
int64_t BlockElements(Dtype dtype) { return TraitsOf(dtype).block_elements; }
int64_t BlockBytes(Dtype dtype) { return TraitsOf(dtype).block_bytes; }

std::optional<uint64_t> BytesOfElements(Dtype dtype, int64_t elements) {
  const Traits& traits = TraitsOf(dtype);
  if (elements < 0 || elements % traits.block_elements != 0) return std::nullopt;
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<uint64_t>(elements / traits.block_elements),
                             static_cast<uint64_t>(traits.block_bytes), &bytes))
    return std::nullopt;
  return bytes;
}

std::optional<int64_t> ElementsOfShape(std::span<const int64_t> shape) {
  int64_t elements = 1;
  for (int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(elements, size, &elements)) return std::nullopt;
  return elements;
}

std::optional<uint64_t> BytesOfShape(Dtype dtype, std::span<const int64_t> shape) {
  const int64_t row_elements = shape.empty() ? 1 : shape.back();
  if (row_elements % BlockElements(dtype) != 0) return std::nullopt;
  const std::optional<int64_t> elements = ElementsOfShape(shape);
  return elements ? BytesOfElements(dtype, *elements) : std::nullopt;
}

std::string_view SafetensorsName(Dtype dtype) { return TraitsOf(dtype).safetensors_name; }

std::optional<Dtype> DtypeFromSafetensors(std::string_view name) {
  for (const Traits& traits : kTraits)
    if (!name.empty() && traits.safetensors_name == name) return traits.dtype;
  return std::nullopt;
}

std::optional<uint32_t> GgufId(Dtype dtype) {
  const int id = TraitsOf(dtype).gguf_id;
  return id == kNoId ? std::nullopt : std::optional<uint32_t>(id);
}

std::optional<Dtype> DtypeFromGguf(uint32_t id) {
  for (const Traits& traits : kTraits)
    if (traits.gguf_id != kNoId && static_cast<uint32_t>(traits.gguf_id) == id) return traits.dtype;
  return std::nullopt;
}

std::string SafetensorsDtypes() {
  std::string list;
  for (const Traits& traits : kTraits)
    if (!traits.safetensors_name.empty()) AppendToList(traits.name, &list);
  return list;
}

std::string GgufDtypes() {
  std::string list;
  for (const Traits& traits : kTraits)
    if (traits.gguf_id != kNoId) AppendToList(traits.name, &list);
  return list;
}

}  // namespace ridgeline
