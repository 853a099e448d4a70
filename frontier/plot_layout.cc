// SPDX-License-Identifier: Apache-2.0
#include "frontier/plot_layout.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr size_t kFewestTicks = 3;
constexpr double kTickGap = 0.13;    // Of the axis; closer texts would touch.
constexpr double kLogMargin = 0.09;  // Of the axis, free at both ends.

// Round values: each mantissa times each power of `base`. Sets go from coarse to fine.
using Mantissas = std::vector<double>;

std::vector<double> RoundValues(double low, double high, double base, const Mantissas& mantissas) {
  std::vector<double> values;
  int first = static_cast<int>(std::floor(std::log(low) / std::log(base))) - 1;
  int last = static_cast<int>(std::ceil(std::log(high) / std::log(base))) + 1;
  for (int power = first; power <= last; ++power) {
    for (double mantissa : mantissas) {
      double value = mantissa * std::pow(base, power);
      if (value >= low && value <= high) values.push_back(value);
    }
  }
  return values;
}

// The coarsest set that gives enough ticks, without those too close to the one before.
std::vector<double> ChooseTicks(double low, double high, double base, const std::vector<Mantissas>& sets) {
  std::vector<double> values;
  for (const Mantissas& mantissas : sets) {
    values = RoundValues(low, high, base, mantissas);
    if (values.size() >= kFewestTicks) break;
  }
  std::vector<double> apart;
  for (double value : values) {
    if (apart.empty() || std::log(value / apart.back()) >= kTickGap * std::log(high / low)) apart.push_back(value);
  }
  return apart;
}

PlotAxis LogarithmicAxis(const std::vector<double>& values) {
  auto [smallest, largest] = std::minmax_element(values.begin(), values.end());
  double span = std::max(std::log(*largest / *smallest), std::log(1.5));
  double middle = (std::log(*largest) + std::log(*smallest)) / 2;
  double half = span * (0.5 + kLogMargin);
  PlotAxis axis;
  axis.logarithmic = true;
  axis.low = std::exp(middle - half);
  axis.high = std::exp(middle + half);
  return axis;
}

// Digits behind the point that multiples of a round step need.
int DecimalsOf(double step) {
  int decimals = 0;
  for (double whole = step; decimals < 9 && std::abs(whole - std::round(whole)) > 1e-6 * whole; whole *= 10) ++decimals;
  return decimals;
}

bool Overlap(const PixelBox& a, const PixelBox& b) {
  return a.left < b.right && b.left < a.right && a.bottom < b.top && b.bottom < a.top;
}

bool Inside(const PixelBox& box, const PixelBox& frame) {
  return box.left >= frame.left && box.right <= frame.right && box.bottom >= frame.bottom && box.top <= frame.top;
}

// Sampled every few pixels, which is finer than any label is high.
bool SegmentTouches(const PixelPoint& from, const PixelPoint& to, const PixelBox& box) {
  int steps = 1 + static_cast<int>(std::hypot(to.x - from.x, to.y - from.y) / 3);
  for (int i = 0; i <= steps; ++i) {
    double t = static_cast<double>(i) / steps;
    double x = from.x + t * (to.x - from.x), y = from.y + t * (to.y - from.y);
    if (x >= box.left && x <= box.right && y >= box.bottom && y <= box.top) return true;
  }
  return false;
}

bool LineTouches(const std::vector<PixelPoint>& line, const PixelBox& box) {
  for (size_t i = 1; i < line.size(); ++i) {
    if (SegmentTouches(line[i - 1], line[i], box)) return true;
  }
  return false;
}

struct Candidate {
  LabelPlace place;
  double cost;
};

// Rings of places around the point: right and left of it first, then above and below, then farther out.
std::vector<Candidate> CandidatesAround(const LabelRequest& request, double height, double radius) {
  std::vector<Candidate> candidates;
  for (int ring = 0; ring < 7; ++ring) {
    double gap = radius + 4 + ring * height * 0.75;
    for (int eighth = 0; eighth < 16; ++eighth) {
      double angle = eighth * M_PI / 8;
      double dx = std::cos(angle), dy = std::sin(angle);
      double centre_x = request.point.x + dx * (gap + request.width_px / 2);
      // Steep directions need less sideways room: the label's near edge should be `gap` away, not its centre.
      if (std::abs(dy) > 0.8) centre_x = request.point.x + dx * request.width_px / 2;
      double centre_y = request.point.y + dy * (gap + height / 2);
      PixelBox box{centre_x - request.width_px / 2, centre_y - height / 2, centre_x + request.width_px / 2,
                   centre_y + height / 2};
      candidates.push_back({{box, ring >= 2}, ring * 10.0 + std::abs(dy) * 3 + (dx < -0.1 ? 1.5 : 0)});
    }
  }
  return candidates;
}

}  // namespace

std::string BinaryText(double bytes) {
  static const char* const kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = std::clamp(static_cast<int>(std::floor(std::log2(bytes) / 10 + 1e-9)), 0, 4);
  return fmt::format("{:.4g} {}", bytes / std::exp2(10 * unit), kUnits[unit]);
}

std::string DecimalText(double value, const std::string& unit) {
  static const char* const kPrefixes[] = {"p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E"};
  int prefix = std::clamp(static_cast<int>(std::floor(std::log10(value) / 3 + 1e-9)) + 4, 0, 10);
  std::string suffix = kPrefixes[prefix] + unit;
  return fmt::format("{:.4g}{}{}", value / std::pow(1000, prefix - 4), suffix.empty() ? "" : " ", suffix);
}

double PlotAxis::Place(double value) const {
  return logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
}

PlotAxis BytesAxis(const std::vector<double>& values) {
  PlotAxis axis = LogarithmicAxis(values);
  const std::vector<Mantissas> sets = {
      {1}, {1, 1.5}, {1, 1.25, 1.5, 1.75}, {1, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875}};
  for (double value : ChooseTicks(axis.low, axis.high, 2, sets)) axis.ticks.push_back({value, BinaryText(value)});
  return axis;
}

PlotAxis DecimalAxis(const std::vector<double>& values, const std::string& unit) {
  PlotAxis axis = LogarithmicAxis(values);
  const std::vector<Mantissas> sets = {
      {1}, {1, 3}, {1, 2, 5}, {1, 1.5, 2, 3, 5, 7}, {1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9}};
  for (double value : ChooseTicks(axis.low, axis.high, 10, sets))
    axis.ticks.push_back({value, DecimalText(value, unit)});
  return axis;
}

PlotAxis PercentAxis(const std::vector<double>& ratios) {
  auto [smallest, largest] = std::minmax_element(ratios.begin(), ratios.end());
  double span = std::max(*largest - *smallest, 0.002);
  double middle = (*largest + *smallest) / 2;
  PlotAxis axis;
  axis.low = middle - span * 0.62;
  axis.high = middle + span * 0.62;
  double step = std::pow(10, std::floor(std::log10(axis.high - axis.low)));
  for (double divisor : {1.0, 2.0, 4.0, 5.0, 10.0}) {
    if ((axis.high - axis.low) / (step / divisor) < kFewestTicks + 1) continue;
    step /= divisor;
    break;
  }
  const int decimals = DecimalsOf(step * 100);
  for (double value = std::ceil(axis.low / step) * step; value <= axis.high; value += step)
    axis.ticks.push_back({value, fmt::format("{:.{}f} %", value * 100, decimals)});
  return axis;
}

PlotAxis LinearAxis(double low, double high) {
  PlotAxis axis;
  axis.low = low;
  axis.high = high;
  const double rough = (high - low) / 5, power = std::pow(10, std::floor(std::log10(rough)));
  const double mantissa = rough / power;
  const double step = power * (mantissa < 1.5 ? 1 : mantissa < 3.5 ? 2 : mantissa < 7.5 ? 5 : 10);
  const int decimals = DecimalsOf(step);
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i)
    axis.ticks.push_back({i * step, fmt::format("{:.{}f}", i == 0 ? 0.0 : i * step, decimals)});
  return axis;
}

std::vector<std::optional<LabelPlace>> PlaceLabels(const PixelBox& frame, const std::vector<LabelRequest>& requests,
                                                   const std::vector<PixelPoint>& line, double height_px,
                                                   double marker_radius_px) {
  std::vector<PixelBox> taken;
  for (const LabelRequest& request : requests) {
    const PixelPoint& p = request.point;
    taken.push_back({p.x - marker_radius_px, p.y - marker_radius_px, p.x + marker_radius_px, p.y + marker_radius_px});
  }
  std::vector<std::optional<LabelPlace>> places;
  for (const LabelRequest& request : requests) {
    std::optional<Candidate> best;
    for (Candidate candidate : CandidatesAround(request, height_px, marker_radius_px)) {
      if (LineTouches(line, candidate.place.box)) candidate.cost += 25;
      if (best && best->cost <= candidate.cost) continue;
      bool free = Inside(candidate.place.box, frame) &&
                  std::none_of(taken.begin(), taken.end(),
                               [&](const PixelBox& box) { return Overlap(box, candidate.place.box); });
      if (free) best = candidate;
    }
    if (best) taken.push_back(best->place.box);
    places.push_back(best ? std::optional(best->place) : std::nullopt);
  }
  return places;
}

}  // namespace ridgeline
