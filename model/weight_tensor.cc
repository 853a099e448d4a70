// SPDX-License-Identifier: Apache-2.0
#include "model/weight_tensor.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "quant/autograd/torch_pch.h"
#include "weights/decode.h"

namespace ridgeline {
namespace {

constexpr int64_t kSliceElements = 4096;  // Whole blocks of every type; its floats stay in the first cache

struct Pair {
  Dtype dtype;
  at::ScalarType type;
};
constexpr std::array<Pair, 10> kPairs = {{{Dtype::kF64, at::kDouble},
                                          {Dtype::kF32, at::kFloat},
                                          {Dtype::kF16, at::kHalf},
                                          {Dtype::kBF16, at::kBFloat16},
                                          {Dtype::kI64, at::kLong},
                                          {Dtype::kI32, at::kInt},
                                          {Dtype::kI16, at::kShort},
                                          {Dtype::kI8, at::kChar},
                                          {Dtype::kU8, at::kByte},
                                          {Dtype::kBool, at::kBool}}};

bool IsAligned(const TensorView& view) {
  return reinterpret_cast<uintptr_t>(view.bytes.data()) % static_cast<uintptr_t>(BlockBytes(view.dtype)) == 0;
}

absl::Status DecodeSlice(const TensorView& view, int64_t first, std::span<float> out) {
  return DecodeToFloat(view, first, out);
}

absl::Status DecodeSlice(const TensorView& view, int64_t first, std::span<at::BFloat16> out) {
  std::array<float, kSliceElements> decoded;
  RETURN_IF_ERROR(DecodeToFloat(view, first, std::span(decoded).first(out.size())));
  std::copy_n(decoded.begin(), out.size(), out.begin());
  return absl::OkStatus();
}

// `tensor` is dense and has the view's shape.
template <typename Element>
absl::Status DecodeInto(const TensorView& view, const at::Tensor& tensor) {
  Element* out = tensor.mutable_data_ptr<Element>();
  const int64_t elements = tensor.numel(), slices = (elements + kSliceElements - 1) / kSliceElements;
  std::vector<absl::Status> results(static_cast<size_t>(slices));
  at::parallel_for(0, slices, /*grain_size=*/8, [&](int64_t begin, int64_t end) {
    for (int64_t slice = begin; slice < end; ++slice) {
      const int64_t first = slice * kSliceElements, count = std::min(kSliceElements, elements - first);
      results[static_cast<size_t>(slice)] =
          DecodeSlice(view, first, std::span(out + first, static_cast<size_t>(count)));
    }
  });
  for (const absl::Status& result : results) RETURN_IF_ERROR(result);
  return absl::OkStatus();
}

}  // namespace

std::optional<at::ScalarType> ScalarTypeOf(Dtype dtype) {
  for (const Pair& pair : kPairs)
    if (pair.dtype == dtype) return pair.type;
  return std::nullopt;
}

std::optional<Dtype> DtypeOf(at::ScalarType type) {
  for (const Pair& pair : kPairs)
    if (pair.type == type) return pair.dtype;
  return std::nullopt;
}

absl::StatusOr<at::Tensor> ToTensor(const TensorView& view, at::ScalarType type) {
  if (type != at::kFloat && type != at::kBFloat16)
    return absl::InvalidArgumentError(
        fmt::format("tensor '{}': weights become float32 or bfloat16, not {}", view.name, c10::toString(type)));
  if (ScalarTypeOf(view.dtype) == type && IsAligned(view))
    return at::from_blob(const_cast<char*>(view.bytes.data()), view.shape, at::TensorOptions(type));
  at::Tensor tensor = at::empty(view.shape, type);
  RETURN_IF_ERROR(type == at::kFloat ? DecodeInto<float>(view, tensor) : DecodeInto<at::BFloat16>(view, tensor));
  return tensor;
}

absl::StatusOr<at::Tensor> CopyTensor(const TensorView& view) {
  const std::optional<at::ScalarType> type = ScalarTypeOf(view.dtype);
  if (!type)
    return absl::InvalidArgumentError(
        fmt::format("tensor '{}' is {}, which no tensor in memory is", view.name, DtypeName(view.dtype)));
  at::Tensor tensor = at::empty(view.shape, *type);
  if (!view.bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
  return tensor;
}

}  // namespace ridgeline
