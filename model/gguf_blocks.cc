// SPDX-License-Identifier: Apache-2.0
#include "model/gguf_blocks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "fmt/format.h"
#include "quant/codes/row_levels.h"
#include "quant/codes/statistics_bytes.h"
#include "weights/block_codes.h"

namespace ridgeline {
namespace {

// Of a code that stands for no number, in formats that have such.
constexpr int8_t kNoWhole = std::numeric_limits<int8_t>::min();

int8_t WholeOf(float level, float step) {
  return std::isnan(level) ? kNoWhole : static_cast<int8_t>(std::lrint(level / step));
}

class RowWriter {
 public:
  RowWriter(const PackedView& packed, const GgufImage& image)
      : packed_(packed),
        image_(image),
        levels_(packed, [&](float level) { return WholeOf(level, image.step); }),
        statistics_(static_cast<size_t>(packed.layout.blocks_per_row)),
        wholes_(static_cast<size_t>(packed.layout.features)) {
    const CodeBook book = *CodeBookOf(packed.layout.spec);
    for (float level : book.levels()) has_gaps_ = has_gaps_ || std::isnan(level);
  }

  absl::Status Append(int64_t row, std::string* bytes) {
    const PackedLayout& layout = packed_.layout;
    for (int64_t block = 0; block < layout.blocks_per_row; ++block)
      statistics_[static_cast<size_t>(block)] = LoadStatistics(packed_, layout.FirstBlock(row) + block);
    levels_.Read(row, statistics_.data(), wholes_.data());
    if (has_gaps_ && std::find(wholes_.begin(), wholes_.end(), kNoWhole) != wholes_.end())
      return absl::InvalidArgumentError(fmt::format("row {}: a code stands for no number", row));
    const int64_t size = BlockElements(image_.dtype);
    for (int64_t begin = 0; begin < layout.features; begin += size) {
      const int64_t block = begin / layout.block;
      const BlockStatistics& statistics = statistics_[static_cast<size_t>(block)];
      const auto wholes =
          std::span<const int8_t>(wholes_).subspan(static_cast<size_t>(begin), static_cast<size_t>(size));
      if (!AppendBlock(image_.dtype, wholes, statistics.scale * image_.step, statistics.offset, bytes))
        return absl::InvalidArgumentError(fmt::format("row {}, block {}: a scale of {} times {} is none of {}", row,
                                                      block, statistics.scale, image_.step, DtypeName(image_.dtype)));
    }
    return absl::OkStatus();
  }

 private:
  const PackedView& packed_;
  const GgufImage image_;
  RowLevels<int8_t> levels_;
  std::vector<BlockStatistics> statistics_;  // Of the row's blocks.
  std::vector<int8_t> wholes_;
  bool has_gaps_ = false;  // Codes that stand for no number.
};

}  // namespace

absl::StatusOr<std::string> GgufBlocksOf(const PackedView& packed, const GgufImage& image) {
  std::string bytes;
  bytes.reserve(static_cast<size_t>(packed.layout.rows * packed.layout.features / BlockElements(image.dtype) *
                                    BlockBytes(image.dtype)));
  RowWriter writer(packed, image);
  for (int64_t row = 0; row < packed.layout.rows; ++row)
    if (absl::Status appended = writer.Append(row, &bytes); !appended.ok()) return appended;
  return bytes;
}

}  // namespace ridgeline
