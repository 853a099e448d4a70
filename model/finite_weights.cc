// SPDX-License-Identifier: Apache-2.0
#include "model/finite_weights.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/model_files.h"
#include "model/stored_weights.h"
#include "quant/autograd/torch_pch.h"
#include "quant/codes/statistics_bytes.h"
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
  if (!tensor.is_cpu()) return at::isfinite(tensor).logical_not().sum().item<int64_t>();
  const at::Tensor values = tensor.contiguous();
  return CountNonfinite({values.const_data_ptr<float>(), static_cast<size_t>(values.numel())});
}

// Of what the codes stand for, some rows at a time.
int64_t CountNonfinite(const PackedView& packed) {
  std::atomic<int64_t> count = 0;
  at::parallel_for(0, packed.layout.rows, 64, [&](int64_t begin, int64_t end) {
    constexpr int64_t kAtOnce = 64;
    std::vector<float> rows(static_cast<size_t>(kAtOnce * packed.layout.features));
    for (int64_t first = begin; first < end; first += kAtOnce) {
      const int64_t last = std::min(first + kAtOnce, end);
      DecodeRows(packed, first, last, Rotated::kStays, rows.data());
      count += CountNonfinite(std::span(rows).first(static_cast<size_t>((last - first) * packed.layout.features)));
    }
  });
  return count;
}

struct Nonfinite {
  const Parameter* parameter = nullptr;  // Null: all numbers are finite.
  int64_t count = 0;
};

Nonfinite FirstNonfinite(const LanguageModel& model) {
  for (const Parameter& parameter : model.parameters()) {
    const bool is_packed = parameter.packed != nullptr;
    const int64_t count = is_packed ? CountNonfinite(parameter.packed->view()) : CountNonfinite(parameter.master);
    if (count > 0) return {&parameter, count};
  }
  return {};
}

absl::Status NonfiniteError(const Nonfinite& found, const std::string& where, const std::string& tensor) {
  return absl::DataLossError(fmt::format(
      "NONFINITE: {}: {} of the {} numbers of tensor '{}' are NaN or infinite: the run that left these weights "
      "diverged, or the file is damaged; take an earlier checkpoint, or get the file again",
      where, found.count, found.parameter->shape->elements(), tensor));
}

// The part of a packed weight that makes numbers of it not finite.
std::string_view PartAtFault(const PackedView& packed) {
  if (!IsFinite(packed.tensor_scale)) return "tensor_scale";
  for (int64_t block = 0; block < packed.layout.blocks(); ++block) {
    const BlockStatistics statistics = LoadStatistics(packed, block);
    if (!IsFinite(statistics.scale)) return "scales";
    if (!IsFinite(statistics.offset)) return "offsets";
  }
  return "codes";
}

// What the file calls it.
absl::StatusOr<std::string> TensorNameOf(const ParameterShape& parameter, const ModelFiles& files) {
  ASSIGN_OR_RETURN(const StoredWeights weights, StoredWeights::Create(*files.weights, files.naming));
  if (const QuantizerSpec quantizer = WeightQuantizerOf(parameter, files.quantizers); quantizer.quantizes()) {
    ASSIGN_OR_RETURN(const PackedView packed, weights.FindPacked(parameter, quantizer));
    return fmt::format("{}.{}", StoredNameOf(parameter, files.naming).name, PartAtFault(packed));
  }
  const TensorView* view = parameter.of_quantizer() ? weights.FindLearned(parameter) : weights.Find(parameter);
  return view == nullptr ? parameter.name : view->name;
}

}  // namespace

absl::Status CheckFiniteWeights(const LanguageModel& model, const std::string& where) {
  const Nonfinite found = FirstNonfinite(model);
  return found.parameter == nullptr ? absl::OkStatus() : NonfiniteError(found, where, found.parameter->name);
}

absl::Status CheckFiniteFiles(const LanguageModel& model, const std::string& path) {
  const Nonfinite found = FirstNonfinite(model);
  if (found.parameter == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ModelFiles files, OpenModelFiles(path));
  ASSIGN_OR_RETURN(const std::string tensor, TensorNameOf(*found.parameter->shape, files));
  return NonfiniteError(found, files.path, tensor);
}

}  // namespace ridgeline
