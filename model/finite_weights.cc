// SPDX-License-Identifier: Apache-2.0
#include "model/finite_weights.h"

#include <bit>
#include <cstdint>
#include <span>

#include "fmt/format.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// By the exponent's bits, which no compiler's flags for fast arithmetic can turn into "always finite".
bool IsFinite(float value) {
  constexpr uint32_t kExponent = 0x7F800000;
  return (std::bit_cast<uint32_t>(value) & kExponent) != kExponent;
}

int64_t CountNonfinite(const at::Tensor& tensor) {
  const at::Tensor values = tensor.contiguous();
  int64_t count = 0;
  for (float value : std::span(values.const_data_ptr<float>(), static_cast<size_t>(values.numel())))
    count += IsFinite(value) ? 0 : 1;
  return count;
}

}  // namespace

absl::Status CheckFiniteWeights(const LanguageModel& model, const std::string& where) {
  for (const Parameter& parameter : model.parameters()) {
    const int64_t count = CountNonfinite(parameter.master);
    if (count == 0) continue;
    return absl::DataLossError(fmt::format(
        "NONFINITE: {}: {} of the {} numbers of tensor '{}' are NaN or infinite: the run that left these weights "
        "diverged, or the file is damaged; take an earlier checkpoint, or get the file again",
        where, count, parameter.master.numel(), parameter.name));
  }
  return absl::OkStatus();
}

}  // namespace ridgeline
