// SPDX-License-Identifier: Apache-2.0
// The geometry of the frontier picture, without drawing: axes with their ticks, and where labels go.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace ridgeline {

struct AxisTick {
  double value;
  std::string text;
};

// "256 KiB", "1.522 MiB"; "500 µJ", "2 G". REQUIRES: over 0.
std::string BinaryText(double bytes);
std::string DecimalText(double value, const std::string& unit);

struct PlotAxis {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  std::vector<AxisTick> ticks;

  // Where a value lies, 0 at `low` and 1 at `high`.
  double Place(double value) const;
};

// Logarithmic axes with about five ticks at round values. REQUIRES: values not empty, finite and over 0.
PlotAxis BytesAxis(const std::vector<double>& values);                             // "256 KiB", "1 MiB"
PlotAxis DecimalAxis(const std::vector<double>& values, const std::string& unit);  // "500 µJ", "2 G"

// A linear axis in percent. REQUIRES: ratios not empty and finite.
PlotAxis PercentAxis(const std::vector<double>& ratios);

// Linear from low to high, with about five ticks at round values. REQUIRES: finite, low < high.
PlotAxis LinearAxis(double low, double high);

struct PixelPoint {
  double x = 0, y = 0;
};

struct PixelBox {
  double left = 0, bottom = 0, right = 0, top = 0;
};

struct LabelPlace {
  PixelBox box;               // The text runs from box.left, centred between bottom and top.
  bool needs_leader = false;  // So far from its point that a line must join them.
};

struct LabelRequest {
  PixelPoint point;
  double width_px = 0;
};

// Greedy: each label in turn takes the nearest free place around its point, inside the frame, clear of markers and of
// earlier labels, and off the line if possible. Nothing where there is no room; so put important points first.
std::vector<std::optional<LabelPlace>> PlaceLabels(const PixelBox& frame, const std::vector<LabelRequest>& requests,
                                                   const std::vector<PixelPoint>& line, double height_px,
                                                   double marker_radius_px);

}  // namespace ridgeline
