// SPDX-License-Identifier: Apache-2.0
#include "model/finite_weights.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "fmt/format.h"
#include "quant/autograd/torch_pch.h"
#include "quant/packed/packed_matrix.h"

namespace ridgeline {
namespace {

// By the exponent's bits, which no compiler's flags for fast arithmetic can turn into "always finite".
bool IsFinite(float value) {
  constexpr uint32_t kExponent = 0x7F800000;
  return (std::bit_cast<uint32_t>(value) & kExponent) != kExponent;
}

int64_t CountNonfinite(std::span<const float> values) {
  int64_t count = 0;
  for (float value : values) count += IsFinite(value) ? 0 : 1;
  return count;
}

int64_t CountNonfinite(const at::Tensor& tensor) {
  const at::Tensor values = tensor.contiguous();
  return CountNonfinite({values.const_data_ptr<float>(), static_cast<size_t>(values.numel())});
}

// Of what the codes stand for, some rows at a time.
int64_t CountNonfinite(const PackedView& packed) {
  std::atomic<int64_t> count = 0;
  at::parallel_for(0, packed.layout.rows, 64, [&](int64_t begin, int64_t end) {
    std::vector<float> row(static_cast<size_t>(packed.layout.features));
    for (int64_t i = begin; i < end; ++i) {
      DecodeRows(packed, i, i + 1, Rotated::kStays, row.data());
      count += CountNonfinite(row);
    }
  });
  return count;
}

}  // namespace

absl::Status CheckFiniteWeights(const LanguageModel& model, const std::string& where) {
  for (const Parameter& parameter : model.parameters()) {
    const bool is_packed = parameter.packed != nullptr;
    const int64_t count = is_packed ? CountNonfinite(parameter.packed->view()) : CountNonfinite(parameter.master);
    if (count == 0) continue;
    return absl::DataLossError(fmt::format(
        "NONFINITE: {}: {} of the {} numbers of tensor '{}' are NaN or infinite: the run that left these weights "
        "diverged, or the file is damaged; take an earlier checkpoint, or get the file again",
        where, count, parameter.shape->elements(), parameter.name));
  }
  return absl::OkStatus();
}

}  // namespace ridgeline
