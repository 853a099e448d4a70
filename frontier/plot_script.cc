// SPDX-License-Identifier: Apache-2.0
#include "frontier/plot_script.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "common/text_width.h"
#include "fmt/format.h"
#include "frontier/energy.h"
#include "frontier/gnuplot.h"
#include "frontier/pareto.h"
#include "frontier/plot_layout.h"
#include "frontier/point_text.h"

namespace ridgeline {
namespace {

constexpr char kInk[] = "#2b2f36";
constexpr char kQuiet[] = "#6b7280";
constexpr char kGridColour[] = "#e5e7eb";
constexpr char kParetoColour[] = "#8a8f98";
constexpr double kTitleFont = 21, kSubtitleFont = 14;
constexpr double kLabelFont = 13;      // In gnuplot's points, as all fonts here,
constexpr double kLabelHeightPx = 16;  // which both terminals are scaled to draw this high.
constexpr double kColumnShare = 0.58;  // Of that height: the width of a column.
constexpr double kMarkerRadiusPx = 9;
constexpr double kLegendWidthPx = 215;
constexpr double kLeftPx = 96, kGapPx = 100, kBottomPx = 84, kTopPx = 92, kRightPx = 26;

struct Styles {
  std::map<std::string, std::string> colour_of_estimator;
  std::map<std::string, int> marker_of_format;
};

struct Panel {
  std::string axis_name;
  PlotAxis x, y;
  PixelBox frame;
  std::vector<const v1::FrontierPoint*> points;
  std::vector<double> costs;
};

// An upper estimate for DejaVu Sans, the widest of the usual sans-serif fonts; a wide character is as wide as it is
// high.
double TextWidthPx(const std::string& text) { return ColumnsOf(text) * kLabelHeightPx * kColumnShare + 4; }

// The text, cut to what a line of this width holds in this font.
std::string FitPx(const std::string& text, double width_px, double font) {
  const double column_px = kLabelHeightPx * kColumnShare * font / kLabelFont;
  return Shortened(text, std::max(1, static_cast<int>(width_px / column_px)));
}

Styles StylesOf(const std::vector<v1::FrontierPoint>& points) {
  // Colours that people with colour-blindness can tell apart (Okabe and Ito); known estimators keep theirs.
  const std::map<std::string, std::string> known = {
      {"none", "#3f4650"}, {"ridge", "#0072b2"}, {"ste", "#d55e00"}, {"ridge_trust", "#009e73"}, {"quest", "#cc79a7"}};
  const std::vector<std::string> others = {"#e69f00", "#56b4e9", "#7a5195", "#a6761d", "#66a61e"};
  const std::vector<int> markers = {7, 5, 9, 13, 11, 15, 6, 4, 8, 12, 10, 14};
  Styles styles;
  std::set<std::string> formats;
  size_t unknown = 0;
  for (const auto& point : points) {
    auto place = known.find(point.estimator());
    if (!styles.colour_of_estimator.contains(point.estimator()))
      styles.colour_of_estimator[point.estimator()] =
          place != known.end() ? place->second : others[unknown++ % others.size()];
    formats.insert(FormatName(point));
  }
  for (const std::string& format : formats) {
    size_t index = styles.marker_of_format.size();
    styles.marker_of_format[format] = markers[index % markers.size()];
  }
  return styles;
}

// Writes screen coordinates: gnuplot's screen is 1 by 1, with y upwards.
class Canvas {
 public:
  Canvas(const FrontierPlotOptions& options, double marker_scale) : options_(options), marker_scale_(marker_scale) {}

  std::string At(double x_px, double y_px) const {
    return fmt::format("screen {:.6f},{:.6f}", x_px / options_.width_px, y_px / options_.height_px);
  }
  void Line(const std::string& text) { script_ += text + "\n"; }
  void Text(double x_px, double y_px, const std::string& text, const std::string& colour, double font,
            const std::string& more = "left") {
    Line(fmt::format("set label {} at {} {} noenhanced front textcolor rgb '{}' font ',{}'", GnuplotString(text),
                     At(x_px, y_px), more, colour, font));
  }
  void Marker(double x_px, double y_px, int marker, const std::string& colour, double size) {
    Line(fmt::format("set label '' at {} point pt {} ps {} lc rgb '{}' front", At(x_px, y_px), marker,
                     size * marker_scale_, colour));
  }
  void Segment(const PixelPoint& from, const PixelPoint& to, const std::string& colour, double width,
               const std::string& more) {
    Line(fmt::format("set arrow from {} to {} nohead lc rgb '{}' lw {} {}", At(from.x, from.y), At(to.x, to.y), colour,
                     width, more));
  }
  const FrontierPlotOptions& options() const { return options_; }
  const std::string& script() const { return script_; }

 private:
  const FrontierPlotOptions& options_;
  double marker_scale_;
  std::string script_;
};

bool HasPlotted(const v1::FrontierPoint& point, bool has_cost, double cost) {
  return point.has_accuracy() && std::isfinite(point.accuracy()) && has_cost && std::isfinite(cost) && cost > 0;
}

Panel BytesPanel(const std::vector<v1::FrontierPoint>& points) {
  Panel panel{.axis_name = "Stored bytes of the model (log scale)"};
  for (const auto& point : points) {
    if (!HasPlotted(point, point.has_storage_bytes(), point.storage_bytes())) continue;
    panel.points.push_back(&point);
    panel.costs.push_back(point.storage_bytes());
  }
  if (!panel.points.empty()) panel.x = BytesAxis(panel.costs);
  return panel;
}

// Joules where every point of the bytes panel has them from one source, else the proxy.
Panel EnergyPanel(const std::vector<const v1::FrontierPoint*>& points) {
  const EnergyMeasure measure = CommonEnergyMeasure(points);
  Panel panel{.axis_name = measure.AxisTitle() + " (log scale)"};
  for (const v1::FrontierPoint* point : points) {
    const std::optional<double> cost = measure.Of(*point);
    if (!HasPlotted(*point, cost.has_value(), cost.value_or(0))) continue;
    panel.points.push_back(point);
    panel.costs.push_back(*cost);
  }
  if (!panel.points.empty()) panel.x = DecimalAxis(panel.costs, measure.is_joules() ? "J" : "");
  return panel;
}

PixelPoint PixelOf(const Panel& panel, size_t i) {
  const PixelBox& frame = panel.frame;
  return {frame.left + panel.x.Place(panel.costs[i]) * (frame.right - frame.left),
          frame.bottom + panel.y.Place(panel.points[i]->accuracy()) * (frame.top - frame.bottom)};
}

// One line for each model and dataset: others are not comparable.
std::vector<std::vector<size_t>> ParetoLines(const Panel& panel) {
  std::map<std::string, std::vector<size_t>> groups;
  for (size_t i = 0; i < panel.points.size(); ++i)
    groups[panel.points[i]->model() + '\0' + panel.points[i]->dataset()].push_back(i);
  std::vector<std::vector<size_t>> lines;
  for (const auto& [shape, members] : groups) {
    std::vector<double> costs, accuracies;
    for (size_t i : members) {
      costs.push_back(panel.costs[i]);
      accuracies.push_back(panel.points[i]->accuracy());
    }
    std::vector<size_t> line;
    for (size_t i : ParetoLine(costs, accuracies)) line.push_back(members[i]);
    lines.push_back(std::move(line));
  }
  return lines;
}

void DrawAxes(const Panel& panel, Canvas* canvas) {
  const auto& options = canvas->options();
  auto ticks = [](const PlotAxis& axis) {
    std::string list;
    for (const AxisTick& tick : axis.ticks) {
      std::string text = tick.text;  // To gnuplot a printf format.
      for (size_t i = text.find('%'); i != std::string::npos; i = text.find('%', i + 2)) text.insert(i, 1, '%');
      list += fmt::format("{}{} {}", list.empty() ? "" : ", ", GnuplotString(text), tick.value);
    }
    return list;
  };
  canvas->Line(fmt::format("set lmargin at screen {:.6f}; set rmargin at screen {:.6f}",
                           panel.frame.left / options.width_px, panel.frame.right / options.width_px));
  canvas->Line(fmt::format("set bmargin at screen {:.6f}; set tmargin at screen {:.6f}",
                           panel.frame.bottom / options.height_px, panel.frame.top / options.height_px));
  canvas->Line(
      fmt::format("set xrange [{}:{}]; set yrange [{}:{}]", panel.x.low, panel.x.high, panel.y.low, panel.y.high));
  canvas->Line(fmt::format("set xtics scale 0 ({})", ticks(panel.x)));
  canvas->Line(fmt::format("set ytics scale 0 ({})", ticks(panel.y)));
  double middle = (panel.frame.left + panel.frame.right) / 2;
  canvas->Text(middle, panel.frame.bottom - 54, panel.axis_name, kInk, 14, "center");
  canvas->Text(panel.frame.left - 80, (panel.frame.bottom + panel.frame.top) / 2,
               "Next-token accuracy on held-out text", kInk, 14, "center rotate by 90");
}

void DrawParetoLines(const Panel& panel, const std::vector<std::vector<size_t>>& lines, Canvas* canvas) {
  for (const auto& line : lines) {
    for (size_t i = 1; i < line.size(); ++i)
      canvas->Segment(PixelOf(panel, line[i - 1]), PixelOf(panel, line[i]), kParetoColour, 1.8, "dashtype (7,5) back");
  }
}

void DrawMarkers(const Panel& panel, const Styles& styles, const std::set<size_t>& on_line, Canvas* canvas) {
  for (size_t i = 0; i < panel.points.size(); ++i) {
    PixelPoint place = PixelOf(panel, i);
    int marker = styles.marker_of_format.at(FormatName(*panel.points[i]));
    double size = on_line.contains(i) ? 2.0 : 1.5;
    canvas->Marker(place.x, place.y, marker, "#ffffff", size + 0.55);  // A halo parts markers that touch.
    canvas->Marker(place.x, place.y, marker, styles.colour_of_estimator.at(panel.points[i]->estimator()), size);
  }
}

void DrawLabels(const Panel& panel, const Styles& styles, const std::vector<size_t>& order,
                const std::vector<PixelPoint>& line, Canvas* canvas) {
  std::vector<LabelRequest> requests;
  for (size_t i : order) requests.push_back({PixelOf(panel, i), TextWidthPx(PointLabel(*panel.points[i]))});
  PixelBox inner{panel.frame.left + 4, panel.frame.bottom + 4, panel.frame.right - 4, panel.frame.top - 4};
  auto places = PlaceLabels(inner, requests, line, kLabelHeightPx + 4, kMarkerRadiusPx);
  for (size_t k = 0; k < order.size(); ++k) {
    if (!places[k]) continue;
    const PixelBox& box = places[k]->box;
    const PixelPoint& point = requests[k].point;
    bool right = box.left >= point.x, left = box.right <= point.x;
    double middle_y = (box.bottom + box.top) / 2;
    PixelPoint near{right  ? box.left
                    : left ? box.right
                           : std::clamp(point.x, box.left, box.right),
                    right || left          ? middle_y
                    : box.bottom > point.y ? box.bottom
                                           : box.top};
    if (places[k]->needs_leader) canvas->Segment(point, near, "#b6bac2", 0.9, "back");
    const std::string& colour = styles.colour_of_estimator.at(panel.points[order[k]]->estimator());
    std::string align = right ? "left" : left ? "right" : "center";
    double anchor = right ? box.left + 2 : left ? box.right - 2 : (box.left + box.right) / 2;
    canvas->Text(anchor, middle_y, PointLabel(*panel.points[order[k]]), colour, kLabelFont, align);
  }
}

void DrawPanel(const Panel& panel, const Styles& styles, Canvas* canvas) {
  DrawAxes(panel, canvas);
  auto lines = ParetoLines(panel);
  DrawParetoLines(panel, lines, canvas);
  std::set<size_t> on_line;
  std::vector<PixelPoint> pixels;
  for (const auto& line : lines) {
    on_line.insert(line.begin(), line.end());
    for (size_t i : line) pixels.push_back(PixelOf(panel, i));
  }
  std::vector<size_t> order(on_line.begin(), on_line.end());
  for (size_t i = 0; i < panel.points.size(); ++i) {
    if (!on_line.contains(i)) order.push_back(i);
  }
  DrawMarkers(panel, styles, on_line, canvas);
  DrawLabels(panel, styles, order, pixels, canvas);
  canvas->Line("plot NaN notitle");
  canvas->Line("unset label; unset arrow");
}

void DrawLegend(const Styles& styles, Canvas* canvas) {
  double x = canvas->options().width_px - kLegendWidthPx;
  double y = canvas->options().height_px - kTopPx - 8;
  auto heading = [&](const std::string& text) {
    canvas->Text(x, y, text, kInk, 14);
    y -= 27;
  };
  auto entry = [&](const std::string& text, int marker, const std::string& colour) {
    canvas->Marker(x + 12, y, marker, colour, 1.5);
    canvas->Text(x + 30, y, FitPx(text, kLegendWidthPx - 34, kLabelFont), kInk, kLabelFont);
    y -= 24;
  };
  heading("Estimator (colour)");
  for (const auto& [name, colour] : styles.colour_of_estimator) entry(name, 7, colour);
  y -= 14;
  heading("Format (marker)");
  for (const auto& [name, marker] : styles.marker_of_format) entry(name, marker, kQuiet);
  y -= 14;
  canvas->Segment({x, y}, {x + 24, y}, kParetoColour, 1.8, "dashtype (7,5)");
  canvas->Text(x + 30, y, "Pareto line", kInk, kLabelFont);
}

std::string Subtitle(const std::vector<const v1::FrontierPoint*>& points) {
  std::set<std::string> models, datasets;
  for (const auto* point : points) {
    models.insert(point->model());
    datasets.insert(point->dataset());
  }
  std::string model = models.size() == 1 ? *models.begin() : fmt::format("{} models", models.size());
  std::string dataset = datasets.size() == 1 ? *datasets.begin() : fmt::format("{} datasets", datasets.size());
  return fmt::format("{} on {}, {} {}; up and to the left is better", model, dataset, points.size(),
                     points.size() == 1 ? "point" : "points");
}

void DrawHead(const std::string& terminal, const std::string& output, const std::string& subtitle, Canvas* canvas) {
  const auto& options = canvas->options();
  canvas->Line("set encoding utf8");
  bool svg = terminal == "svg";
  canvas->Line(fmt::format("set terminal {} {} size {},{} font '{},13' fontscale {} background rgb '#ffffff'", terminal,
                           svg ? "fixed" : "", options.width_px, options.height_px, kPlotFont, svg ? 1.23 : 0.92));
  canvas->Line(fmt::format("set output {}", GnuplotString(output)));
  canvas->Line(
      fmt::format("unset key; set border 3 lc rgb '{}'; set grid lc rgb '{}' lt 1 lw 1 back", kQuiet, kGridColour));
  canvas->Line(fmt::format("set tics nomirror textcolor rgb '{}'; set logscale x", kQuiet));
  canvas->Line("set multiplot");
  const double width_px = options.width_px - kLeftPx - kRightPx;
  canvas->Text(kLeftPx, options.height_px - 34, FitPx(options.title, width_px, kTitleFont), kInk, kTitleFont);
  canvas->Text(kLeftPx, options.height_px - 64, FitPx(subtitle, width_px, kSubtitleFont), kQuiet, kSubtitleFont);
}

void PlacePanels(std::vector<Panel>* panels, const FrontierPlotOptions& options) {
  double count = static_cast<double>(panels->size());
  double room = options.width_px - kLegendWidthPx - kRightPx - kLeftPx - kGapPx * (count - 1);
  double width = room / count, left = kLeftPx;
  for (Panel& panel : *panels) {
    panel.frame = {left, kBottomPx, left + width, options.height_px - kTopPx};
    left += width + kGapPx;
    std::vector<double> accuracies;
    for (const auto* point : panel.points) accuracies.push_back(point->accuracy());
    panel.y = PercentAxis(accuracies);
  }
}

}  // namespace

std::string FrontierPlotScript(const std::vector<v1::FrontierPoint>& points, const FrontierPlotOptions& options,
                               const std::string& terminal, const std::string& output) {
  std::vector<Panel> panels = {BytesPanel(points)};
  if (panels[0].points.empty()) return "";
  Panel energy = EnergyPanel(panels[0].points);
  if (!energy.points.empty()) panels.push_back(std::move(energy));
  PlacePanels(&panels, options);
  Styles styles = StylesOf(points);
  // The svg terminal draws the same marker size larger than pngcairo does.
  Canvas canvas(options, terminal == "svg" ? 0.6 : 1.0);
  DrawHead(terminal, output, Subtitle(panels[0].points), &canvas);
  DrawLegend(styles, &canvas);
  // Title and legend are labels too, so the first panel's plot command draws them with its own.
  for (const Panel& panel : panels) DrawPanel(panel, styles, &canvas);
  return canvas.script() + "unset multiplot\nset output\n";
}

}  // namespace ridgeline
