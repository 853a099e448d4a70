// SPDX-License-Identifier: Apache-2.0
#include "model/packed_parts.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace ridgeline {
namespace {

// Where a part is declared: for each layout those that have bytes.
struct PartShape {
  const char* suffix;
  Dtype dtype;
  std::vector<int64_t> shape;
  int64_t bytes;
};

std::vector<PartShape> PartShapes(const PackedLayout& layout) {
  const bool has_steps = layout.steps_of_row > 0;
  const Dtype scale = has_steps ? Dtype::kI8 : layout.scale_bytes == 2 ? Dtype::kF16 : Dtype::kU8;
  const std::vector<int64_t> grids = {layout.statistics_rows, layout.blocks_per_row};
  std::vector<PartShape> parts = {
      {"tensor_scale", Dtype::kF32, {1}, layout.tensor_scale_bytes()},
      {"scales", scale, grids, layout.all_scale_bytes()},
      {"offsets", has_steps ? Dtype::kI8 : Dtype::kF16, grids, layout.offset_bytes()},
      {"steps", Dtype::kF16, {layout.statistics_rows, layout.steps_of_row}, layout.step_bytes()},
      {"codes", Dtype::kU8, {layout.rows, layout.code_row_bytes}, layout.code_bytes()},
      {"masks", Dtype::kU8, {layout.rows, layout.mask_row_bytes}, layout.mask_bytes()},
      {"selectors", Dtype::kU8, {layout.statistics_rows, layout.selector_row_bytes}, layout.selector_bytes()}};
  std::erase_if(parts, [](const PartShape& part) { return part.bytes == 0; });
  return parts;
}

std::string NameOf(const std::string& weight, std::string_view suffix) { return fmt::format("{}.{}", weight, suffix); }

std::string_view AsText(const std::vector<uint8_t>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view BytesOf(const PackedTensor& packed, std::string_view suffix) {
  if (suffix == "codes") return AsText(packed.codes);
  if (suffix == "masks") return AsText(packed.masks);
  if (suffix == "scales") return AsText(packed.scales);
  if (suffix == "offsets") return AsText(packed.offsets);
  if (suffix == "steps") return AsText(packed.steps);
  if (suffix == "selectors") return AsText(packed.selectors);
  return {reinterpret_cast<const char*>(&packed.tensor_scale), sizeof(packed.tensor_scale)};
}

absl::Status SetPart(std::string_view suffix, std::string_view bytes, PackedView* view) {
  const std::span<const uint8_t> part(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (suffix == "codes") view->codes = part;
  if (suffix == "masks") view->masks = part;
  if (suffix == "scales") view->scales = part;
  if (suffix == "offsets") view->offsets = part;
  if (suffix == "steps") view->steps = part;
  if (suffix == "selectors") view->selectors = part;
  if (suffix != "tensor_scale") return absl::OkStatus();
  std::memcpy(&view->tensor_scale, bytes.data(), sizeof(view->tensor_scale));
  if (std::isfinite(view->tensor_scale) && view->tensor_scale >= 0) return absl::OkStatus();
  return absl::DataLossError(fmt::format("is {}, and no scale", view->tensor_scale));
}

}  // namespace

std::vector<std::string> PackedNamesOf(const std::string& name, const PackedLayout& layout) {
  std::vector<std::string> names;
  for (const PartShape& part : PartShapes(layout)) names.push_back(NameOf(name, part.suffix));
  return names;
}

std::vector<PackedPart> PartsOf(const std::string& name, const PackedTensor& packed) {
  std::vector<PackedPart> parts;
  for (const PartShape& part : PartShapes(packed.layout))
    parts.push_back({{NameOf(name, part.suffix), part.dtype, part.shape}, BytesOf(packed, part.suffix)});
  return parts;
}

absl::StatusOr<PackedView> PackedViewOf(const std::string& name, const PackedLayout& layout,
                                        const std::function<const TensorView*(const std::string& name)>& find) {
  PackedView view{.layout = layout};
  const auto in_tensor = [](const std::string& tensor, const absl::Status& status) {
    return absl::Status(status.code(), fmt::format("tensor '{}': {}", tensor, std::string(status.message())));
  };
  for (const PartShape& part : PartShapes(layout)) {
    const std::string part_name = NameOf(name, part.suffix);
    const TensorView* tensor = find(part_name);
    if (tensor == nullptr)
      return absl::InvalidArgumentError(fmt::format(
          "no tensor '{}', of which quantization_config in config.json tells: take both from one export", part_name));
    if (tensor->dtype != part.dtype || tensor->shape != part.shape)
      return absl::InvalidArgumentError(fmt::format(
          "tensor '{}': is {} [{}], and {} [{}] is needed for {} of {} rows of {}; it and quantization_config in "
          "config.json disagree: take both from one export",
          tensor->name, DtypeName(tensor->dtype), fmt::join(tensor->shape, ", "), DtypeName(part.dtype),
          fmt::join(part.shape, ", "), FormatName(layout.spec.format), layout.rows, layout.features));
    if (absl::Status set = SetPart(part.suffix, tensor->bytes, &view); !set.ok()) return in_tensor(tensor->name, set);
  }
  const absl::Status checked = CheckPacked(view);
  if (checked.ok()) return view;
  for (const PartShape& part : PartShapes(layout))  // Which it names first.
    if (checked.message().substr(0, checked.message().find(' ')) == part.suffix)
      return in_tensor(find(NameOf(name, part.suffix))->name, checked);
  return in_tensor(name, checked);
}

}  // namespace ridgeline
