// SPDX-License-Identifier: Apache-2.0
#include "frontier/report_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

#include "common/text_width.h"
#include "fmt/format.h"
#include "frontier/html.h"
#include "frontier/pareto.h"
#include "frontier/point_text.h"

namespace ridgeline {
namespace {

// In units of the viewBox, about pixels at laptop width. SVG's y goes down, plot_layout's up.
constexpr double kWidth = 640, kWideWidth = 1320, kHeight = 430;
constexpr double kLeft = 76, kRight = 16, kTop = 12, kBottom = 52;
constexpr double kMarkerRadius = 6.2;
constexpr double kLabelHeight = 15;
constexpr double kLabelColumnWidth = 6.7;  // Of system fonts at 11.5 px, an upper estimate.
constexpr double kCurveLabelsWidth = 150;
constexpr size_t kFewPoints = 28;   // More are a crowd, in which only the best have labels and bands.
constexpr double kCutShare = 0.25;  // Of a run, whose losses may lie above the frame.

constexpr PixelBox kFrame{kLeft, kBottom, kWidth - kRight, kHeight - kTop};

double Flipped(double y) { return kHeight - y; }

// Corners on a circle, the first at this angle (0: right, growing upwards).
std::string Polygon(double x, double y, double radius, int corners, double first_degrees) {
  std::string path;
  for (int i = 0; i < corners; ++i) {
    const double angle = (first_degrees + 360.0 * i / corners) * M_PI / 180;
    path += fmt::format("{}{:.1f} {:.1f}", i == 0 ? "M" : "L", x + radius * std::cos(angle),
                        Flipped(y + radius * std::sin(angle)));
  }
  return path + "Z";
}

std::string Circle(double x, double y, double radius) {
  return fmt::format("M{0:.1f} {1:.1f}a{2:.1f} {2:.1f} 0 1 0 {3:.1f} 0a{2:.1f} {2:.1f} 0 1 0 -{3:.1f} 0Z", x - radius,
                     Flipped(y), radius, 2 * radius);
}

// All of about the same area.
std::string Marker(int marker, double x, double y, double r) {
  switch (marker % 8) {
    case 0:
      return Circle(x, y, r);
    case 1:
      return Polygon(x, y, r * 1.25, 4, 45);
    case 2:
      return Polygon(x, y - r * 0.15, r * 1.4, 3, 90);
    case 3:
      return Polygon(x, y, r * 1.3, 4, 0);
    case 4:
      return Polygon(x, y + r * 0.15, r * 1.4, 3, 270);
    case 5:
      return Polygon(x, y, r * 1.15, 5, 90);
    case 6:
      return Polygon(x, y, r * 1.1, 6, 0);
    default:
      return Polygon(x, y - r * 0.1, r * 1.15, 5, 270);
  }
}

PixelPoint PlaceIn(const PixelBox& frame, const PlotAxis& x, const PlotAxis& y, double at_x, double at_y) {
  return {frame.left + x.Place(at_x) * (frame.right - frame.left),
          frame.bottom + y.Place(at_y) * (frame.top - frame.bottom)};
}

std::string Text(double x, double y, const std::string& anchor, const std::string& classes, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n", x, Flipped(y),
                     anchor, classes, Html(text));
}

std::string Line(const PixelPoint& from, const PixelPoint& to, const std::string& classes) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", from.x,
                     Flipped(from.y), to.x, Flipped(to.y), classes);
}

std::string Axes(const PixelBox& frame, const PlotAxis& x, const PlotAxis& y, const std::string& x_title,
                 const std::string& y_title) {
  std::string svg;
  for (const AxisTick& tick : y.ticks) {
    const double at = PlaceIn(frame, x, y, x.low, tick.value).y;
    svg += Line({frame.left, at}, {frame.right, at}, "grid");
    svg += Text(frame.left - 8, at - 4, "end", "tick", tick.text);
  }
  for (const AxisTick& tick : x.ticks) {
    const double at = PlaceIn(frame, x, y, tick.value, y.low).x;
    svg += Line({at, frame.bottom}, {at, frame.top}, "grid");
    svg += Text(at, frame.bottom - 18, "middle", "tick", tick.text);
  }
  svg += Line({frame.left, frame.bottom}, {frame.right, frame.bottom}, "axis");
  svg += Text((frame.left + frame.right) / 2, 8, "middle", "axis-title", x_title);
  const double middle = Flipped((frame.bottom + frame.top) / 2);
  return svg + fmt::format(
                   "<text transform=\"translate(13 {:.1f}) rotate(-90)\" text-anchor=\"middle\" "
                   "class=\"axis-title\">{}</text>\n",
                   middle, Html(y_title));
}

std::string Opened(const std::string& name, double width, bool is_crowded) {
  return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\"{}>\n", width, kHeight, Html(name),
                     is_crowded ? " class=\"crowded\"" : "");
}

std::string PointClasses(const v1::FrontierPoint& point, const ReportStyles& styles) {
  return styles.ColourClass(point) + (point.pareto() ? " pareto" : "");
}

// Corners from the frame's lower edge over the dots of the line to its right edge.
std::vector<PixelPoint> Stairs(const std::vector<PixelPoint>& places, const std::vector<size_t>& line) {
  std::vector<PixelPoint> corners;
  double y = kFrame.bottom;
  for (size_t i : line) {
    corners.push_back({places[i].x, y});
    corners.push_back(places[i]);
    y = places[i].y;
  }
  if (!corners.empty()) corners.push_back({kFrame.right, y});
  return corners;
}

std::string PathOf(const std::vector<PixelPoint>& corners) {
  std::string path;
  for (const PixelPoint& corner : corners)
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", corner.x, Flipped(corner.y));
  return path;
}

std::string StairsSvg(const std::vector<PixelPoint>& corners) {
  return corners.empty() ? "" : fmt::format("<path d=\"{}\" class=\"stairs\"/>\n", PathOf(corners));
}

// What lies under the stairs.
std::string AreaSvg(std::vector<PixelPoint> corners) {
  if (corners.empty()) return "";
  corners.push_back({kFrame.right, kFrame.bottom});
  return fmt::format("<path d=\"{}Z\" class=\"area\"/>\n", PathOf(corners));
}

std::string BandSvg(const ReportScatter& scatter, const ReportDot& dot, const ReportStyles& styles) {
  if (!dot.band) return "";
  const PixelPoint low = PlaceIn(kFrame, scatter.x, scatter.y, dot.band->first, dot.y);
  const PixelPoint high = PlaceIn(kFrame, scatter.x, scatter.y, dot.band->second, dot.y);
  std::string svg = Line(low, high, "band");
  for (const PixelPoint& end : {low, high}) svg += Line({end.x, end.y - 4}, {end.x, end.y + 4}, "band");
  return fmt::format("<g class=\"{}\" data-p=\"{}\">\n{}</g>\n", PointClasses(*dot.point, styles), dot.id, svg);
}

std::string DotSvg(const ReportDot& dot, const PixelPoint& place, const ReportStyles& styles) {
  return fmt::format("<g class=\"pt {}\" data-p=\"{}\" data-tip=\"{}\"><path class=\"m\" d=\"{}\"/></g>\n",
                     PointClasses(*dot.point, styles), dot.id, Html(dot.tip),
                     styles.MarkerPath(*dot.point, place.x, place.y));
}

double LabelWidth(const std::string& text) { return ColumnsOf(text) * kLabelColumnWidth + 4; }

// Where a line from the point meets the label.
PixelPoint NearestOf(const PixelBox& box, const PixelPoint& point) {
  return {std::clamp(point.x, box.left, box.right), std::clamp(point.y, box.bottom + 3, box.top - 3)};
}

std::string LabelsSvg(const ReportScatter& scatter, const std::vector<PixelPoint>& places,
                      const std::vector<size_t>& order, const std::vector<PixelPoint>& stairs,
                      const ReportStyles& styles) {
  std::vector<LabelRequest> requests;
  for (size_t i : order) requests.push_back({places[i], LabelWidth(PointLabel(*scatter.dots[i].point))});
  for (const PixelPoint& place : places) requests.push_back({place, 0});  // Labels keep clear of all dots.
  const PixelBox inner{kFrame.left + 3, kFrame.bottom + 3, kFrame.right - 3, kFrame.top - 3};
  const auto boxes = PlaceLabels(inner, requests, stairs, kLabelHeight, kMarkerRadius + 1);
  std::string svg;
  for (size_t k = 0; k < order.size(); ++k) {
    if (!boxes[k]) continue;
    const ReportDot& dot = scatter.dots[order[k]];
    const PixelBox& box = boxes[k]->box;
    if (boxes[k]->needs_leader) svg += Line(places[order[k]], NearestOf(box, places[order[k]]), "leader");
    const bool right = box.left >= places[order[k]].x, left = box.right <= places[order[k]].x;
    const double x = right ? box.left + 2 : left ? box.right - 2 : (box.left + box.right) / 2;
    svg += fmt::format("<g data-p=\"{}\">{}</g>\n", dot.id,
                       Text(x, (box.bottom + box.top) / 2 - 4,
                            right  ? "start"
                            : left ? "end"
                                   : "middle",
                            "label " + styles.ColourClass(*dot.point), PointLabel(*dot.point)));
  }
  return svg;
}

// Which dots get a label, important ones first.
std::vector<size_t> LabelOrder(const ReportScatter& scatter, const std::vector<size_t>& line) {
  std::vector<size_t> order = line;
  const std::set<size_t> on_line(line.begin(), line.end());
  const bool all = scatter.dots.size() <= kFewPoints;
  for (bool pareto : {true, false}) {
    for (size_t i = 0; i < scatter.dots.size(); ++i) {
      if (scatter.dots[i].point->pareto() == pareto && !on_line.contains(i) && (all || pareto)) order.push_back(i);
    }
  }
  return order;
}

// Losses that the frame must hold: those past the first share of each run, and where a run has no more, its last.
PlotAxis LossAxis(const std::vector<ReportCurve>& curves, bool* is_cut) {
  double low = INFINITY, high = -INFINITY, highest = -INFINITY;
  for (const ReportCurve& curve : curves) {
    const double first_step = curve.values.back().first * kCutShare;
    for (const auto& [step, loss] : curve.values) {
      highest = std::max(highest, loss);
      if (step < first_step) continue;
      low = std::min(low, loss);
      high = std::max(high, loss);
    }
  }
  const double margin = std::max(high - low, 1e-3) * 0.06;
  *is_cut = highest > high + margin;
  return LinearAxis(low - margin, high + margin);
}

PlotAxis StepsAxis(const std::vector<ReportCurve>& curves) {
  double last = 1;
  for (const ReportCurve& curve : curves) last = std::max(last, curve.values.back().first);
  return LinearAxis(0, last);
}

// Heights for the labels of lines that end at these: in their order, a label's height apart, inside the frame.
std::vector<double> Spread(const std::vector<double>& heights, double low, double high) {
  std::vector<size_t> order(heights.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return heights[a] < heights[b]; });
  std::vector<double> spread = heights;
  double next = low;
  for (size_t i : order) {
    spread[i] = std::max(spread[i], next);
    next = spread[i] + kLabelHeight;
  }
  double ceiling = high;
  for (auto i = order.rbegin(); i != order.rend(); ++i) {
    spread[*i] = std::min(spread[*i], ceiling);
    ceiling = spread[*i] - kLabelHeight;
  }
  return spread;
}

std::string CurveSvg(const ReportCurve& curve, const std::vector<PixelPoint>& places, const ReportStyles& styles) {
  return fmt::format(
      "<g class=\"pt {0}\" data-p=\"{1}\" data-tip=\"{2}\"><path class=\"hit\" d=\"{3}\"/>"
      "<path class=\"curve\" d=\"{3}\"/><path class=\"m\" d=\"{4}\"/></g>\n",
      PointClasses(*curve.point, styles), curve.id, Html(curve.tip), PathOf(places),
      styles.MarkerPath(*curve.point, places.back().x, places.back().y));
}

struct CurveEnd {
  const ReportCurve* curve;
  PixelPoint place;
};

std::string CurveLabelsSvg(const std::vector<CurveEnd>& ends, const PixelBox& frame, const ReportStyles& styles) {
  std::vector<double> own_heights;
  for (const CurveEnd& end : ends) own_heights.push_back(std::clamp(end.place.y, frame.bottom, frame.top));
  const std::vector<double> heights = Spread(own_heights, frame.bottom + 4, frame.top - 4);
  const int columns = static_cast<int>((kCurveLabelsWidth - 10) / kLabelColumnWidth);
  std::string svg;
  for (size_t i = 0; i < ends.size(); ++i) {
    const ReportCurve& curve = *ends[i].curve;
    svg += fmt::format("<g data-p=\"{}\">{}{}</g>\n", curve.id,
                       Line({ends[i].place.x + 9, own_heights[i]}, {frame.right + 18, heights[i]}, "leader"),
                       Text(frame.right + 21, heights[i] - 4, "start", "label " + styles.ColourClass(*curve.point),
                            Shortened(PointLabel(*curve.point), columns)));
  }
  return svg;
}

}  // namespace

ReportStyles ReportStyles::Of(const std::vector<const v1::FrontierPoint*>& points) {
  static constexpr std::array<const char*, 5> kKnown = {"none", "ridge", "ste", "ridge_trust", "quest"};
  constexpr int kColours = 10;
  ReportStyles styles;
  std::set<std::string> formats;
  int unknown = 0;
  for (const v1::FrontierPoint* point : points) {
    formats.insert(FormatName(*point));
    if (styles.colour_of_estimator.contains(point->estimator())) continue;
    const auto known = std::find(kKnown.begin(), kKnown.end(), point->estimator());
    const int others = static_cast<int>(kKnown.size());
    styles.colour_of_estimator[point->estimator()] =
        known != kKnown.end() ? static_cast<int>(known - kKnown.begin()) : others + unknown++ % (kColours - others);
  }
  for (const std::string& format : formats) {
    const auto index = static_cast<int>(styles.marker_of_format.size());
    styles.marker_of_format[format] = index;
  }
  return styles;
}

std::string ReportStyles::ColourClass(const v1::FrontierPoint& point) const {
  return fmt::format("e{}", colour_of_estimator.at(point.estimator()));
}

std::string ReportStyles::MarkerPath(const v1::FrontierPoint& point, double x, double y) const {
  return Marker(marker_of_format.at(FormatName(point)), x, y, kMarkerRadius);
}

std::string ReportStyles::Legend() const {
  const auto key = [](const std::string& classes, int marker, const std::string& text) {
    return fmt::format(
        "<span class=\"key\"><svg viewBox=\"0 {} 18 18\" class=\"swatch {}\"><path class=\"m\" d=\"{}\"/></svg>{}"
        "</span>\n",
        kHeight - 18, classes, Marker(marker, 9, 9, kMarkerRadius), Html(text));
  };
  const auto group = [](const std::string& title, const std::string& keys) {
    return fmt::format("<span class=\"group\"><b>{}</b>\n{}</span>\n", title, keys);
  };
  std::string estimators, formats;
  for (const auto& [name, colour] : colour_of_estimator)
    estimators += key(fmt::format("pareto e{}", colour), 0, name.empty() ? "not said" : name);
  for (const auto& [name, marker] : marker_of_format) formats += key("plain pareto", marker, name);
  return "<p class=\"legend\">" + group("Estimator", estimators) + group("Format", formats) +
         group("Fill", key("plain pareto", 0, "Pareto point") + key("plain", 0, "beaten by another")) + "</p>\n";
}

std::string ScatterSvg(const ReportScatter& scatter, const ReportStyles& styles) {
  std::vector<PixelPoint> places;
  std::vector<double> costs, merits;
  for (const ReportDot& dot : scatter.dots) {
    places.push_back(PlaceIn(kFrame, scatter.x, scatter.y, dot.x, dot.y));
    costs.push_back(dot.x);
    merits.push_back(dot.y);
  }
  const std::vector<size_t> line = ParetoLine(costs, merits);
  const std::vector<PixelPoint> stairs = Stairs(places, line);
  std::string svg = Opened(scatter.name, kWidth, scatter.dots.size() > kFewPoints) + AreaSvg(stairs);
  svg += Axes(kFrame, scatter.x, scatter.y, scatter.x_title, scatter.y_title) + StairsSvg(stairs);
  // Bands lie below labels, whose edges part them, and dots above all.
  for (const ReportDot& dot : scatter.dots) svg += BandSvg(scatter, dot, styles);
  svg += LabelsSvg(scatter, places, LabelOrder(scatter, line), stairs, styles);
  for (bool pareto : {false, true}) {
    for (size_t i = 0; i < places.size(); ++i)
      if (scatter.dots[i].point->pareto() == pareto) svg += DotSvg(scatter.dots[i], places[i], styles);
  }
  return svg + "</svg>\n";
}

std::string CurvesSvg(const ReportCurves& plot, const ReportStyles& styles, bool* is_cut) {
  const double width = plot.is_wide ? kWideWidth : kWidth;
  const PixelBox frame{kFrame.left, kFrame.bottom, width - kRight - kCurveLabelsWidth, kFrame.top};
  const PlotAxis x = StepsAxis(plot.curves), y = LossAxis(plot.curves, is_cut);
  const auto room = static_cast<size_t>((frame.top - frame.bottom) / kLabelHeight);
  const bool is_crowded = plot.curves.size() > room;
  std::string svg = Opened(plot.name, width, is_crowded) + Axes(frame, x, y, "Optimizer steps", plot.y_title);
  // An inner svg cuts curves off at the frame, with room for half a line's width.
  svg += fmt::format("<svg x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{3}\" viewBox=\"{0} {1} {2} {3}\">\n", frame.left,
                     Flipped(frame.top), width - frame.left, frame.top - frame.bottom + 2);
  std::vector<CurveEnd> ends;
  for (bool pareto : {false, true}) {  // Those above the others.
    for (const ReportCurve& curve : plot.curves) {
      if (curve.point->pareto() != pareto) continue;
      std::vector<PixelPoint> places;
      for (const auto& [step, loss] : curve.values) places.push_back(PlaceIn(frame, x, y, step, loss));
      svg += CurveSvg(curve, places, styles);
      if (pareto || !is_crowded) ends.push_back({&curve, places.back()});
    }
  }
  svg += "</svg>\n";
  return svg + (ends.size() > room ? "" : CurveLabelsSvg(ends, frame, styles)) + "</svg>\n";
}

}  // namespace ridgeline
