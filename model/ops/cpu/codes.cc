// SPDX-License-Identifier: Apache-2.0
// Rows of quantized weights to and from codes: the parts of a packed tensor one after the other.
#include <cstring>
#include <span>
#include <utility>

#include "method/resolved_spec.h"
#include "model/ops/cpu/cpu_ops.h"
#include "model/ops/cpu/row_threads.h"
#include "model/ops/row_layout.h"
#include "quant/codes/packed_tensor.h"

namespace ridgeline {
namespace {

// Rows that a thread packs or unpacks at once: enough that what a call prepares does not show.
constexpr int64_t kRowsAtOnce = 64;

// Where the parts of a packed tensor lie in its bytes.
template <typename Byte>
struct CodeParts {
  CodeParts(const PackedLayout& layout, Byte* bytes) {
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

PackedView ViewOfBytes(const PackedLayout& layout, const uint8_t* bytes) {
  const CodeParts<const uint8_t> parts(layout, bytes);
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
void Place(const PackedTensor& packed, int64_t begin, const CodeParts<uint8_t>& parts) {
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

}  // namespace

void OpsOnCpu::EncodeRows(const at::Tensor& x, const QuantizerSpec& spec, const std::optional<at::Tensor>& scales,
                          at::Tensor& bytes) const {
  const int64_t rows = x.size(0), columns = x.size(1);
  if (rows == 0) return;
  const PackedLayout layout = LayoutOfRows(spec, x, bytes);
  const CodeParts<uint8_t> parts(layout, Out<uint8_t>(bytes));
  std::span<const float> learned;
  if (scales) learned = {In<float>(*scales), static_cast<size_t>(scales->numel())};
  auto pack = [&](int64_t begin, int64_t end) {
    const std::span<const float> numbers(In<float>(x) + begin * columns, static_cast<size_t>((end - begin) * columns));
    const bool has_scale_a_row = std::ssize(learned) == rows && layout.statistics_rows == rows;
    const absl::StatusOr<PackedTensor> packed = Encode(
        spec, numbers, end - begin, columns,
        has_scale_a_row ? learned.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)) : learned);
    TORCH_CHECK(packed.ok(), std::string(packed.status().message()));
    Place(*packed, begin, parts);
  };
  if (!TreatsRowsAlone(spec)) return pack(0, rows);
  at::parallel_for(0, rows, kRowsAtOnce, pack);
}

void OpsOnCpu::DecodeRows(const at::Tensor& bytes, const QuantizerSpec& spec, at::Tensor& rows) const {
  if (rows.size(0) == 0) return;
  const int64_t columns = rows.size(1);
  const PackedView view = ViewOfBytes(LayoutOfRows(spec, rows, bytes), In<uint8_t>(bytes));
  const Rotated rotated = spec.stays_rotated ? Rotated::kStays : Rotated::kBack;
  at::parallel_for(0, rows.size(0), kRowsAtOnce, [&](int64_t begin, int64_t end) {
    if (rows.scalar_type() == at::kFloat)
      ridgeline::DecodeRows(view, begin, end, rotated, Out<float>(rows) + begin * columns);
    else
      ridgeline::DecodeRows(view, begin, end, rotated, Out<BFloat16>(rows) + begin * columns);
  });
}

}  // namespace ridgeline
