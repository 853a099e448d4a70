// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/packed_rows.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "method/resolved_spec.h"
#include "quant/autograd/torch_pch.h"
#include "quant/codes/packed_tensor.h"

namespace ridgeline {
namespace {

// Rows that a thread packs or unpacks at once: enough that what a call prepares does not show.
constexpr int64_t kRowsAtOnce = 64;

// Where the parts of a packed tensor lie in its bytes.
template <typename Byte>
struct Parts {
  Parts(const PackedLayout& layout, Byte* bytes) {
    auto next = [&bytes](int64_t size) { return std::exchange(bytes, bytes + size); };
    codes = next(layout.code_bytes());
    masks = next(layout.mask_bytes());
    scales = next(layout.all_scale_bytes());
    offsets = next(layout.offset_bytes());
    steps = next(layout.step_bytes());
    selectors = next(layout.selector_bytes());
    tensor_scale = next(layout.tensor_scale_bytes());
  }
  Byte *codes, *masks, *scales, *offsets, *steps, *selectors, *tensor_scale;
};

PackedLayout LayoutOf(const QuantizerSpec& quantizer, int64_t rows, int64_t columns) {
  absl::StatusOr<PackedLayout> layout = PackedLayoutOf(quantizer, rows, columns);
  TORCH_CHECK(layout.ok(), std::string(layout.status().message()));
  return *std::move(layout);
}

PackedView ViewOf(const PackedLayout& layout, const std::byte* bytes) {
  const Parts<const uint8_t> parts(layout, reinterpret_cast<const uint8_t*>(bytes));
  auto span = [](const uint8_t* data, int64_t size) { return std::span(data, static_cast<size_t>(size)); };
  PackedView view{.layout = layout,
                  .codes = span(parts.codes, layout.code_bytes()),
                  .masks = span(parts.masks, layout.mask_bytes()),
                  .scales = span(parts.scales, layout.all_scale_bytes()),
                  .offsets = span(parts.offsets, layout.offset_bytes()),
                  .steps = span(parts.steps, layout.step_bytes()),
                  .selectors = span(parts.selectors, layout.selector_bytes())};
  if (layout.has_tensor_scale) std::memcpy(&view.tensor_scale, parts.tensor_scale, sizeof(float));
  return view;
}

// Rows `begin` and on of a tensor, which were packed alone.
void Place(const PackedTensor& packed, int64_t begin, const Parts<uint8_t>& parts) {
  const PackedLayout& layout = packed.layout;
  auto copy = [begin, rows = layout.rows](const std::vector<uint8_t>& from, uint8_t* to) {
    std::copy(from.begin(), from.end(), to + static_cast<int64_t>(from.size()) / rows * begin);
  };
  copy(packed.codes, parts.codes);
  copy(packed.masks, parts.masks);
  copy(packed.scales, parts.scales);
  copy(packed.offsets, parts.offsets);
  copy(packed.steps, parts.steps);
  copy(packed.selectors, parts.selectors);
  if (layout.has_tensor_scale) std::memcpy(parts.tensor_scale, &packed.tensor_scale, sizeof(float));
}

void WriteCodes(const Parameter& parameter, std::byte* bytes) {
  const QuantizerSpec& quantizer = parameter.quantizer.spec;
  const int64_t rows = parameter.master.size(0), columns = parameter.master.size(1);
  const PackedLayout layout = LayoutOf(quantizer, rows, columns);
  const Parts<uint8_t> parts(layout, reinterpret_cast<uint8_t*>(bytes));
  const float* master = parameter.master.const_data_ptr<float>();
  std::span<const float> scales;
  if (parameter.quantizer.scale != nullptr)
    scales = {parameter.quantizer.scale->master.const_data_ptr<float>(),
              static_cast<size_t>(parameter.quantizer.scale->master.numel())};
  auto pack = [&](int64_t begin, int64_t end) {
    const std::span<const float> numbers(master + begin * columns, static_cast<size_t>((end - begin) * columns));
    const bool has_scale_a_row = std::ssize(scales) == rows && layout.statistics_rows == rows;
    const absl::StatusOr<PackedTensor> packed =
        Encode(quantizer, numbers, end - begin, columns,
               has_scale_a_row ? scales.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)) : scales);
    TORCH_CHECK(packed.ok(), std::string(packed.status().message()));
    Place(*packed, begin, parts);
  };
  if (!TreatsRowsAlone(quantizer)) return pack(0, rows);
  at::parallel_for(0, rows, kRowsAtOnce, pack);
}

}  // namespace

void WriteOwnRows(Parameter* parameter, at::ScalarType dtype, std::byte* bytes) {
  if (parameter->sharing.own_rows.count() == 0) return;
  at::NoGradGuard no_grad;
  const QuantizerSpec& quantizer = parameter->quantizer.spec;
  const bool as_codes = TravelsAsCodes(quantizer, parameter->sharing.own_rows.count(), parameter->shape->columns());
  at::Tensor values;
  if (!quantizer.enabled())
    values = parameter->master.to(dtype);
  else if (!as_codes || parameter->quantizer.scale != nullptr || !PassesGradient(quantizer))
    values = parameter->OwnValues(dtype);
  if (as_codes) return WriteCodes(*parameter, bytes);
  std::memcpy(bytes, values.const_data_ptr(), values.nbytes());
}

void ReadRows(const std::byte* bytes, const QuantizerSpec& quantizer, RowRange rows, at::Tensor& compute) {
  if (rows.count() == 0) return;
  const int64_t columns = compute.size(1);
  at::Tensor own = compute.narrow(0, rows.begin, rows.count());
  if (!TravelsAsCodes(quantizer, rows.count(), columns)) {
    std::memcpy(own.mutable_data_ptr(), bytes, own.nbytes());
    return;
  }
  const PackedView view = ViewOf(LayoutOf(quantizer, rows.count(), columns), bytes);
  const Rotated rotated = quantizer.stays_rotated ? Rotated::kStays : Rotated::kBack;
  at::parallel_for(0, rows.count(), kRowsAtOnce, [&](int64_t begin, int64_t end) {
    if (own.scalar_type() == at::kFloat)
      DecodeRows(view, begin, end, rotated, static_cast<float*>(own.mutable_data_ptr()) + begin * columns);
    else
      DecodeRows(view, begin, end, rotated, static_cast<BFloat16*>(own.mutable_data_ptr()) + begin * columns);
  });
}

}  // namespace ridgeline
