// SPDX-License-Identifier: Apache-2.0
// Rows of quantized weights to and from codes where they lie, with the CPU's bytes; what cannot be made so
// (CodesAreMadeOnDevice) is made on the host, from a copy.
#include <algorithm>
#include <utility>
#include <vector>

#include "model/ops/composed/block_codes.h"
#include "model/ops/composed/block_grids.h"
#include "model/ops/composed/code_bits.h"
#include "model/ops/composed/code_statistics.h"
#include "model/ops/composed/composed_ops.h"
#include "model/ops/composed/exact_math.h"
#include "model/ops/composed/level_codes.h"
#include "model/ops/row_layout.h"
#include "quant/autograd/torch_pch.h"
#include "quant/codes/packed_tensor.h"

namespace ridgeline {
namespace {

// Of rows that are worked on at once: each number takes some dozen bytes meanwhile.
constexpr int64_t kCodesAtOnce = int64_t{1} << 22;

// The parts of a packed tensor in its bytes, each a row of bytes for each row that has one; views.
struct RowParts {
  at::Tensor codes, masks;     // (rows, bytes)
  StatisticsBytes statistics;  // (statistics_rows, bytes)
  at::Tensor tensor_scale;     // (4), or none
};

RowParts PartsOf(const PackedLayout& layout, const at::Tensor& bytes) {
  int64_t at = 0;
  const auto next = [&](int64_t rows, int64_t size) {
    return bytes.narrow(0, std::exchange(at, at + size), size).view({rows, size / rows});
  };
  RowParts parts;
  parts.codes = next(layout.rows, layout.code_bytes());
  parts.masks = next(layout.rows, layout.mask_bytes());
  parts.statistics.scales = next(layout.statistics_rows, layout.all_scale_bytes());
  parts.statistics.offsets = next(layout.statistics_rows, layout.offset_bytes());
  parts.statistics.steps = next(layout.statistics_rows, layout.step_bytes());
  parts.statistics.selectors = next(layout.statistics_rows, layout.selector_bytes());
  parts.tensor_scale = next(1, layout.tensor_scale_bytes()).view({-1});
  return parts;
}

// Rows begin .. begin + count - 1 of the parts, and the statistics that they have, or all rows share.
RowParts PartsOfRows(const RowParts& parts, const PackedLayout& layout, int64_t begin, int64_t count) {
  const auto rows = [&](const at::Tensor& part) { return part.narrow(0, begin, count); };
  const auto own = [&](const at::Tensor& part) { return layout.statistics_rows == 1 ? part : rows(part); };
  const StatisticsBytes& all = parts.statistics;
  return {rows(parts.codes),
          rows(parts.masks),
          {own(all.scales), own(all.offsets), own(all.steps), own(all.selectors)},
          parts.tensor_scale};
}

at::Tensor GroupsOfRows(const at::Tensor& rows, int m) { return rows.view({rows.size(0), rows.size(1) / m, m}); }

void WriteCodes(const at::Tensor& levels, const QuantizerSpec& spec, const CodeBook& book, const PackedLayout& layout,
                RowParts* parts) {
  const auto [n, m] = layout.spec.sparsity;
  if (layout.storage == CodeStorage::kPatterns) {
    parts->codes.copy_(PackedPatterns(GroupsOfRows(levels, m), layout));
    return;
  }
  at::Tensor codes = CodesOfLevels(levels, spec, book);
  if (layout.storage == CodeStorage::kKept) {
    const at::Tensor kept = KeptOfLevels(GroupsOfRows(levels, m), n);
    parts->masks.copy_(PackedFields(RanksOfMasks(kept, layout.spec.sparsity), layout.mask_bits));
    codes = KeptCodes(GroupsOfRows(codes, m), kept, n).reshape({levels.size(0), layout.groups_per_row() * n});
  }
  parts->codes.copy_(layout.storage == CodeStorage::kTrits ? PackedTrits(codes)
                                                           : PackedFields(codes, layout.code_bits));
}

// (rows, features); `extras` as LevelsOfCodes has them.
at::Tensor ReadLevels(const RowParts& parts, const at::Tensor& extras, const CodeBook& book,
                      const PackedLayout& layout) {
  const int64_t rows = parts.codes.size(0), features = layout.features, groups = layout.groups_per_row();
  const auto [n, m] = layout.spec.sparsity;
  switch (layout.storage) {
    case CodeStorage::kBits:
      return LevelsOfCodes(UnpackedFields(parts.codes, features, layout.code_bits), extras, book);
    case CodeStorage::kTrits:
      return LevelsOfCodes(UnpackedTrits(parts.codes, features), extras, book);
    case CodeStorage::kKept: {
      const at::Tensor ranks = UnpackedFields(parts.masks, groups, layout.mask_bits).to(at::kLong);
      const at::Tensor kept = MasksOfRanks(ranks, layout.spec.sparsity);
      const at::Tensor codes = UnpackedFields(parts.codes, groups * n, layout.code_bits).reshape({rows, groups, n});
      const at::Tensor spread = SpreadCodes(codes, kept).view({rows, features});
      return LevelsOfCodes(spread, extras, book).masked_fill(kept.view({rows, features}).bitwise_not(), 0);
    }
    case CodeStorage::kPatterns:
      return UnpackedPatterns(parts.codes, layout).view({rows, features}) * book.levels().back();
  }
  __builtin_unreachable();
}

// Of each block, (rows, blocks), at each of its numbers: (rows, features)
at::Tensor AtEachNumber(const at::Tensor& of_blocks, const PackedLayout& layout) {
  const int64_t rows = of_blocks.size(0), blocks = layout.blocks_per_row;
  return of_blocks.unsqueeze(2).expand({rows, blocks, layout.block}).reshape({rows, -1}).narrow(1, 0, layout.features);
}

at::Tensor RotatedBlocks(const at::Tensor& x, int64_t block) {
  return HadamardOfRows(x.reshape({-1, block})).view(x.sizes());
}

// What rows are decoded to.
at::Tensor DecodedNumbers(const RowParts& parts, const CodeBook& book, const PackedLayout& layout, Rotated rotated) {
  const at::Tensor tensor_scale = layout.has_tensor_scale ? parts.tensor_scale.clone().view(at::kFloat) : at::Tensor();
  const CodeStatistics statistics = LoadedStatistics(parts.statistics, tensor_scale, layout);
  const at::Tensor extras = statistics.extra.defined() ? AtEachNumber(statistics.extra, layout) : at::Tensor();
  at::Tensor x = ReadLevels(parts, extras, book, layout) * AtEachNumber(statistics.scale, layout);
  x = statistics.offset.defined() ? x + AtEachNumber(statistics.offset, layout) : x + 0.0;  // No -0.
  if (!layout.spec.hadamard || rotated == Rotated::kStays) return x;
  x = RotatedBlocks(x, layout.block);
  return layout.spec.hadamard_signs ? x * HadamardSigns(layout.features, x.device()) : x;
}

// Levels of rows, and what each block's come to.
struct EncodedRows {
  at::Tensor levels;  // (rows, features)
  CodeStatistics statistics;
};

EncodedRows InRows(const EncodedBlocks& blocks, int64_t rows) {
  const auto in_rows = [rows](const at::Tensor& x) { return x.defined() ? x.reshape({rows, -1}) : x; };
  return {in_rows(blocks.levels), {in_rows(blocks.scale), in_rows(blocks.offset), {}}};
}

// The blocks that a row ends with are shorter.
EncodedRows EncodedByBlocks(const at::Tensor& x, const QuantizerSpec& spec, const at::Tensor& tensor_scale,
                            int64_t block) {
  const int64_t rows = x.size(0), features = x.size(1), whole = features / block * block;
  const EncodedRows blocks =
      InRows(EncodedBlocksOf(x.narrow(1, 0, whole).reshape({-1, block}), spec, tensor_scale), rows);
  if (whole == features) return blocks;
  const EncodedRows last =
      InRows(EncodedBlocksOf(x.narrow(1, whole, features - whole).contiguous(), spec, tensor_scale), rows);
  const auto joined = [](const at::Tensor& a, const at::Tensor& b) { return a.defined() ? at::cat({a, b}, 1) : a; };
  return {joined(blocks.levels, last.levels),
          {joined(blocks.statistics.scale, last.statistics.scale),
           joined(blocks.statistics.offset, last.statistics.offset),
           {}}};
}

// `scales`: (rows, 1) or (1, 1), of specs that learn them.
EncodedRows EncodedNumbers(const at::Tensor& x, const QuantizerSpec& spec, const at::Tensor& scales,
                           const at::Tensor& tensor_scale, const PackedLayout& layout) {
  const int64_t rows = x.size(0);
  if (scales.defined()) {
    const EncodedBlocks encoded = EncodedByLearnedScale(x, scales, spec);
    return {encoded.levels, {encoded.scale, {}, {}}};
  }
  if (spec.granularity != Granularity::kTensor) return EncodedByBlocks(x, spec, tensor_scale, layout.block);
  const EncodedBlocks encoded = EncodedBlocksOf(x.reshape({1, -1}), spec, tensor_scale);
  return {encoded.levels.view({rows, -1}), {encoded.scale, encoded.offset, {}}};
}

// NV: the scale of the tensor, (1).
at::Tensor TensorScaleOfRows(const at::Tensor& x, const QuantizerSpec& spec) {
  const at::Tensor sizes = SizesOf(spec.hadamard ? RotatedBlocks(x, spec.block) : x).view({1, -1});
  return TensorScaleOf(sizes.masked_fill((sizes * 0).ne(0), 0).amax({1}), spec.format);
}

void WriteStatistics(const StatisticsBytes& from, const PackedLayout& layout, StatisticsBytes* to) {
  to->scales.copy_(from.scales);
  if (layout.has_offsets) to->offsets.copy_(from.offsets);
  if (layout.steps_of_row > 0) to->steps.copy_(from.steps);
}

int64_t RowsAtOnce(const PackedLayout& layout) {
  if (layout.spec.granularity == Granularity::kTensor) return layout.rows;
  return std::max<int64_t>(1, kCodesAtOnce / layout.features);
}

void EncodeOnHost(const at::Tensor& x, const QuantizerSpec& spec, const std::optional<at::Tensor>& scales,
                  at::Tensor& bytes) {
  std::optional<at::Tensor> scales_on_host;
  if (scales) scales_on_host = scales->cpu();
  at::Tensor packed = at::empty(bytes.sizes(), at::kByte);
  CpuOps().EncodeRows(x.cpu(), spec, scales_on_host, packed);
  bytes.copy_(packed);
}

}  // namespace

void ComposedOperations::EncodeRows(const at::Tensor& x, const QuantizerSpec& spec,
                                    const std::optional<at::Tensor>& scales, at::Tensor& bytes) const {
  if (x.size(0) == 0) return;
  at::NoGradGuard no_grad;
  const PackedLayout layout = LayoutOfRows(spec, x, bytes);
  if (!CodesAreMadeOnDevice(spec)) return EncodeOnHost(x, spec, scales, bytes);
  const CodeBook book = *CodeBookOf(spec);
  RowParts parts = PartsOf(layout, bytes);
  const at::Tensor numbers = spec.hadamard_signs ? x * HadamardSigns(layout.features, x.device()) : x;
  const at::Tensor learned = scales ? scales->view({-1, 1}) : at::Tensor();
  at::Tensor tensor_scale;
  if (layout.has_tensor_scale) {
    tensor_scale = TensorScaleOfRows(numbers, spec);
    parts.tensor_scale.copy_(tensor_scale.view(at::kByte));
  }
  for (int64_t begin = 0; begin < layout.rows; begin += RowsAtOnce(layout)) {
    const int64_t count = std::min(RowsAtOnce(layout), layout.rows - begin);
    const bool has_scale_a_row = scales && learned.size(0) == layout.rows;
    const EncodedRows rows =
        EncodedNumbers(numbers.narrow(0, begin, count), spec,
                       has_scale_a_row ? learned.narrow(0, begin, count) : learned, tensor_scale, layout);
    RowParts of_rows = PartsOfRows(parts, layout, begin, count);
    WriteCodes(rows.levels, spec, book, layout, &of_rows);
    WriteStatistics(StoredStatistics(rows.statistics, tensor_scale, layout), layout, &of_rows.statistics);
  }
}

void ComposedOperations::DecodeRows(const at::Tensor& bytes, const QuantizerSpec& spec, at::Tensor& rows) const {
  if (rows.size(0) == 0) return;
  at::NoGradGuard no_grad;
  const PackedLayout layout = LayoutOfRows(spec, rows, bytes);
  const CodeBook book = *CodeBookOf(layout.spec);
  const RowParts parts = PartsOf(layout, bytes);
  const Rotated rotated = spec.stays_rotated ? Rotated::kStays : Rotated::kBack;
  const int64_t at_once = std::max<int64_t>(1, kCodesAtOnce / layout.features);
  for (int64_t begin = 0; begin < layout.rows; begin += at_once) {
    const int64_t count = std::min(at_once, layout.rows - begin);
    rows.narrow(0, begin, count).copy_(DecodedNumbers(PartsOfRows(parts, layout, begin, count), book, layout, rotated));
  }
}

}  // namespace ridgeline
