// SPDX-License-Identifier: Apache-2.0
#include "quant/packed/row_reader.h"

#include <algorithm>
#include <cstring>

#include "quant/codes/statistics_bytes.h"
#include "quant/packed/unpack.h"

namespace ridgeline {
namespace {

constexpr int64_t kRoom = 32;  // That kernels may read behind a row's numbers.

// A whole number of cache lines that is not even: rows whose distance is a power of two would share the same few places
// of the cache.
size_t StrideOf(int64_t bytes) { return (static_cast<size_t>(bytes + 63) / 64 | 1) * 64; }

bool HasHalves(const PackedLayout& layout) { return layout.scale_bytes == 2 && layout.selector_row_bytes == 0; }

}  // namespace

RowReader::RowReader(const PackedMatrix& matrix, const PackedInputs& inputs, Form form, int64_t rows)
    : matrix_(matrix),
      view_(matrix.packed_.view()),
      form_(form),
      adjustment_(AdjustmentOf(form)),
      segments_(static_cast<size_t>(inputs.segments)),
      has_sums_(inputs.bases != nullptr),
      has_halves_(HasHalves(view_.layout)),
      has_bases_(!has_halves_ || view_.layout.has_offsets || adjustment_.shift != 0) {
  const PackedLayout& layout = view_.layout;
  numbers_stride_ = StrideOf(layout.features + kRoom);
  const auto count = static_cast<size_t>(rows), blocks = static_cast<size_t>(layout.blocks_per_row);
  if (matrix.way_ == Way::kAny) levels_.emplace(view_, [&](float level) { return matrix.WholeOf(level); });
  statistics_.resize(blocks);
  numbers_.resize(count * numbers_stride_);
  signs_.resize(count);
  const bool makes_signs = (form == Form::kSigns || form == Form::kNibbles) && matrix.weight_planes_ > 1;
  for (size_t i = 0; makes_signs && i < count; ++i)
    signs_[i].resize(static_cast<size_t>(matrix.weight_planes_ * layout.features / 8));
  wide_.resize(count);
  const bool widens = form == Form::kPairs || makes_signs;
  for (size_t i = 0; widens && i < count; ++i) wide_[i].resize(static_cast<size_t>(layout.features + 1));
  block_scales_.resize(count * blocks);
  block_bases_.resize(count * blocks);
  if (matrix.segment_ != layout.block) scales_.resize(count * segments_), bases_.resize(count * segments_);
  if (has_sums_) sums_.resize(count * segments_);
  rows_.resize(count);
}

RowReader::Adjustment RowReader::AdjustmentOf(Form form) const {
  const float shift = matrix_.levels_.shift;
  if (form == Form::kRaised) return {1, shift - static_cast<float>(matrix_.least_)};
  if (form == Form::kCodes)
    return {static_cast<float>(matrix_.linear_->factor), shift + static_cast<float>(matrix_.linear_->first)};
  return {1, shift};
}

std::span<const PackedRow> RowReader::Read(int64_t begin, int64_t end) {
  ReadStatistics(begin, end);
  const bool has_segments = !scales_.empty();
  const std::vector<float>&scales = has_segments ? scales_ : block_scales_,
        &bases = has_segments ? bases_ : block_bases_;
  for (int64_t row = begin; row < end; ++row) {
    const auto i = static_cast<size_t>(row - begin);
    const void* numbers = ReadNumbers(row, i);
    rows_[i] = {numbers, &scales[i * segments_], has_bases_ ? &bases[i * segments_] : nullptr, SumsOf(i)};
  }
  return std::span(rows_).first(static_cast<size_t>(end - begin));
}

void RowReader::ReadStatistics(int64_t begin, int64_t end) {
  const PackedLayout& layout = view_.layout;
  const int64_t blocks = layout.blocks_per_row, rows = end - begin;
  if (layout.statistics_rows > 1 || rows == 1) {
    ReadBlocks(layout.FirstBlock(begin), rows * blocks, block_scales_.data(), block_bases_.data());
  } else {
    for (int64_t row = 0; row < rows; ++row)
      ReadBlocks(0, blocks, block_scales_.data() + row * blocks, block_bases_.data() + row * blocks);
  }
  if (scales_.empty()) return;
  SpreadOverSegments(block_scales_, rows, &scales_);
  if (has_bases_) SpreadOverSegments(block_bases_, rows, &bases_);
}

void RowReader::ReadBlocks(int64_t first_block, int64_t blocks, float* scales, float* bases) {
  const PackedLayout& layout = view_.layout;
  const float step = matrix_.levels_.step;
  if (has_halves_) {
    ReadHalves(view_.scales.data() + 2 * first_block, blocks, step / StoredScaleFactor(layout.spec.format), scales);
    if (layout.has_offsets) ReadHalves(view_.offsets.data() + 2 * first_block, blocks, 1, bases);
  } else {
    for (int64_t block = 0; block < blocks; ++block) {
      const BlockStatistics statistics = LoadStatistics(view_, first_block + block);
      scales[block] = statistics.scale * step;
      bases[block] = statistics.offset;
    }
  }
  const bool has_read = !has_halves_ || layout.has_offsets;
  const auto [factor, shift] = adjustment_;
  for (int64_t block = 0; has_bases_ && block < blocks; ++block)
    bases[block] = (has_read ? bases[block] : 0) + scales[block] * shift;
  for (int64_t block = 0; factor != 1 && block < blocks; ++block) scales[block] *= factor;
}

void RowReader::SpreadOverSegments(const std::vector<float>& of_blocks, int64_t rows,
                                   std::vector<float>* of_segments) const {
  const PackedLayout& layout = view_.layout;
  const auto blocks = static_cast<size_t>(layout.blocks_per_row);
  for (size_t row = 0; row < static_cast<size_t>(rows); ++row)
    for (size_t s = 0; s < segments_; ++s) {
      const size_t block = s * static_cast<size_t>(matrix_.segment_) / static_cast<size_t>(layout.block);
      (*of_segments)[row * segments_ + s] = of_blocks[row * blocks + block];
    }
}

const void* RowReader::ReadNumbers(int64_t row, size_t i) {
  if (form_ == Form::kCodes || form_ == Form::kGroups) return ReadCodes(row, i);
  if (form_ == Form::kSigns) return ReadSigns(row, i);
  if (form_ == Form::kNibbles) return ReadNibbles(row, i);
  const int64_t features = view_.layout.features;
  auto* buffer = reinterpret_cast<int8_t*>(NumbersOf(i));
  const int8_t* wholes = ReadWholes(row, buffer);
  if (has_sums_) SegmentSums(wholes, features, matrix_.segment_, SumsOf(i));
  if (form_ == Form::kWholes) return wholes;
  if (form_ == Form::kPairs) {
    std::copy(wholes, wholes + features, wide_[i].begin());
    return wide_[i].data();
  }
  Raise(wholes, NumbersOf(i));
  for (size_t s = 0; has_sums_ && s < segments_; ++s) {
    const int64_t begin = static_cast<int64_t>(s) * matrix_.segment_;
    SumsOf(i)[s] += static_cast<float>(matrix_.least_ * std::min(matrix_.segment_, features - begin));
  }
  return NumbersOf(i);
}

// As they lie, but for the last ones, behind which there would be nothing to read.
const void* RowReader::ReadCodes(int64_t row, size_t i) {
  const int64_t row_bytes = view_.layout.code_row_bytes, begin = row * row_bytes;
  const uint8_t* codes = view_.codes.data() + begin;
  if (begin + row_bytes + kRoom <= static_cast<int64_t>(view_.codes.size())) return codes;
  std::memcpy(NumbersOf(i), codes, static_cast<size_t>(row_bytes));
  return NumbersOf(i);
}

const uint8_t* RowReader::ReadSigns(int64_t row, size_t i) {
  const PackedLayout& layout = view_.layout;
  if (matrix_.weight_planes_ == 1) {
    const uint8_t* codes = view_.codes.data() + row * layout.code_row_bytes;
    if (has_sums_) SignSums(codes, layout.features, matrix_.segment_, SumsOf(i));
    return codes;
  }
  auto* wholes = reinterpret_cast<int8_t*>(NumbersOf(i));
  ReadWholes(row, wholes);
  if (has_sums_) SegmentSums(wholes, layout.features, matrix_.segment_, SumsOf(i));
  std::copy(wholes, wholes + layout.features, wide_[i].begin());
  SplitSigns(wide_[i].data(), layout.features, matrix_.weight_planes_, signs_[i].data());
  return signs_[i].data();
}

const void* RowReader::ReadNibbles(int64_t row, size_t i) {
  SpreadNibbles(ReadSigns(row, i), matrix_.weight_planes_ * view_.layout.features / 8, NumbersOf(i));
  return NumbersOf(i);
}

const int8_t* RowReader::ReadWholes(int64_t row, int8_t* wholes) {
  const PackedLayout& layout = view_.layout;
  const int64_t begin = row * layout.code_row_bytes;
  const uint8_t* bytes = view_.codes.data() + begin;
  switch (matrix_.way_) {
    case Way::kBytes:
      return reinterpret_cast<const int8_t*>(bytes);
    case Way::kTable:
      UnpackWholes(bytes, layout.features, layout.code_bits, matrix_.table_.data(), wholes);
      break;
    case Way::kFlippedBytes:
      FlipBytes(bytes, layout.features, wholes);
      break;
    case Way::kTernary:
      UnpackTernary(bytes, layout.features, wholes);
      break;
    case Way::kPatterns:
      matrix_.patterns_->Read(bytes, static_cast<int64_t>(view_.codes.size()) - begin, wholes);
      break;
    case Way::kAny:
      if (layout.selector_row_bytes > 0)
        for (size_t block = 0; block < statistics_.size(); ++block)
          statistics_[block] = LoadStatistics(view_, layout.FirstBlock(row) + static_cast<int64_t>(block));
      levels_->Read(row, statistics_.data(), wholes);
  }
  return wholes;
}

// What lies behind the features, up to a multiple of 4, meets zeros of inputs.
void RowReader::Raise(const int8_t* wholes, uint8_t* raised) const {
  const int64_t features = view_.layout.features;
  const int least = matrix_.least_;
  for (int64_t i = 0; i < features; ++i) raised[i] = static_cast<uint8_t>(wholes[i] + least);
}

}  // namespace ridgeline
