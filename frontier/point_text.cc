// SPDX-License-Identifier: Apache-2.0
#include "frontier/point_text.h"

#include "common/text_width.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr int kLabelColumns = 30;

}  // namespace

std::string FormatName(const v1::FrontierPoint& point) {
  if (point.weight_format() == point.activation_format()) return point.weight_format();
  return fmt::format("{} × {}", point.weight_format(), point.activation_format());
}

std::string PointLabel(const v1::FrontierPoint& point) {
  std::string text = point.name();
  if (text.empty()) {
    text = point.estimator();
    if (!point.weight_scheme().empty()) text += " " + point.weight_scheme();
    if (point.estimator() != "none") text += " " + FormatName(point);
  }
  return Shortened(text, kLabelColumns);
}

}  // namespace ridgeline
