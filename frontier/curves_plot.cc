// SPDX-License-Identifier: Apache-2.0
#include "frontier/curves_plot.h"

#include <array>
#include <cmath>
#include <functional>
#include <utility>

#include "common/status_macros.h"
#include "common/text_width.h"
#include "fmt/format.h"
#include "frontier/gnuplot.h"

namespace ridgeline {
namespace {

// Of Okabe and Ito, which people with colour-blindness can tell apart; a dash pattern for each round through them.
constexpr std::array<const char*, 8> kColours = {"#3f4650", "#0072b2", "#d55e00", "#009e73",
                                                 "#cc79a7", "#e69f00", "#56b4e9", "#7a5195"};

constexpr int kNameColumns = 40, kTitleColumns = 100;

using Value = std::function<std::pair<bool, double>(const v1::MetricPoint&)>;

struct Panel {
  std::string axis_name;
  Value value;
};

std::vector<Panel> Panels() {
  return {{"Held-out loss, nats per token",
           [](const v1::MetricPoint& p) { return std::pair(p.has_validation_loss(), p.validation_loss()); }},
          {"Loss on the second kind of text, nats per token",
           [](const v1::MetricPoint& p) { return std::pair(p.has_second_loss(), p.second_loss()); }}};
}

// "step value" lines of a curve; empty if it has none.
std::string Data(const JobCurve& curve, const Panel& panel) {
  std::string lines;
  for (const v1::MetricPoint& point : curve.points) {
    const auto [has, value] = panel.value(point);
    if (has && std::isfinite(value)) lines += fmt::format("{} {:.6f}\n", point.step(), value);
  }
  return lines;
}

// One plot command and its data blocks; empty without data.
std::string PanelScript(const std::vector<JobCurve>& curves, const Panel& panel, size_t number) {
  std::string blocks, plots;
  for (size_t i = 0; i < curves.size(); ++i) {
    const std::string data = Data(curves[i], panel);
    if (data.empty()) continue;
    const std::string block = fmt::format("$data{}_{}", number, i);
    blocks += fmt::format("{} << END\n{}END\n", block, data);
    plots += fmt::format("{}{} using 1:2 with linespoints lw 2 pt 7 ps 0.7 dt {} lc rgb '{}' title {} noenhanced",
                         plots.empty() ? "plot " : ", \\\n  ", block, 1 + i / kColours.size(),
                         kColours[i % kColours.size()], GnuplotString(Shortened(curves[i].name, kNameColumns)));
  }
  if (plots.empty()) return "";
  return fmt::format("{}set ylabel {}\n{}\n", blocks, GnuplotString(panel.axis_name), plots);
}

}  // namespace

std::string CurvesPlotScript(const std::vector<JobCurve>& curves, const CurvesPlotOptions& options,
                             const std::string& terminal) {
  std::vector<std::string> panels;
  for (const Panel& panel : Panels())
    if (std::string script = PanelScript(curves, panel, panels.size()); !script.empty()) panels.push_back(script);
  if (panels.empty()) return "";
  std::string script = fmt::format(
      "set encoding utf8\nset terminal {} size {},{} font '{},13' background rgb '#ffffff'\nset output '{}'\n"
      "set multiplot layout 1,{} title {} noenhanced font ',16'\nset border 3 lc rgb '#6b7280'\nset tics nomirror\n"
      "set grid lc rgb '#e5e7eb' lt 1\nset key below left Left reverse samplen 2 horizontal\n"
      "set xlabel 'Optimizer steps' offset 0,0.4\nset format y '%.2f'\n",
      terminal, options.width_px, options.height_px, kPlotFont, kGnuplotOutput, panels.size(),
      GnuplotString(Shortened(options.title, kTitleColumns)));
  for (const std::string& panel : panels) script += panel;
  return script + "unset multiplot\n";
}

absl::StatusOr<PictureNotes> PlotCurves(const std::vector<JobCurve>& curves, const std::string& path,
                                        const CurvesPlotOptions& options) {
  ASSIGN_OR_RETURN(std::string terminal, GnuplotTerminalFor(path));
  const std::string script = CurvesPlotScript(curves, options, terminal);
  if (script.empty())
    return absl::FailedPreconditionError("none of the jobs was validated yet, so there is nothing to plot");
  return DrawWithGnuplot(script, path);
}

}  // namespace ridgeline
