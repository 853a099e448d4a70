// SPDX-License-Identifier: Apache-2.0
// The plots of a report, as inline SVG: colours come from the page's style sheet, so that they follow light and dark.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "frontier/plot_layout.h"
#include "ridgeline/v1/frontier.pb.h"

namespace ridgeline {

// How points look in all plots of a section: a colour (class e0, e1, ...) an estimator, a marker a format.
struct ReportStyles {
  std::map<std::string, int> colour_of_estimator;
  std::map<std::string, int> marker_of_format;

  static ReportStyles Of(const std::vector<const v1::FrontierPoint*>& points);
  // "e3"
  std::string ColourClass(const v1::FrontierPoint& point) const;
  // The `d` of a path around this place.
  std::string MarkerPath(const v1::FrontierPoint& point, double x, double y) const;
  // Both as a line of HTML.
  std::string Legend() const;
};

struct ReportDot {
  const v1::FrontierPoint* point = nullptr;
  std::string id;   // Joins it with its row and its curve: data-p.
  std::string tip;  // Lines of text.
  double x = 0, y = 0;
  std::optional<std::pair<double, double>> band;  // Along x: a model's low and high.
};

// More y for less x is better: stairs join the dots that no other beats in both, over the area that they dominate.
struct ReportScatter {
  std::string name;  // For people who cannot see it.
  std::string x_title, y_title;
  PlotAxis x, y;
  std::vector<ReportDot> dots;
};
std::string ScatterSvg(const ReportScatter& scatter, const ReportStyles& styles);

struct ReportCurve {
  const v1::FrontierPoint* point = nullptr;
  std::string id;
  std::string tip;
  std::vector<std::pair<double, double>> values;  // Step and loss, by rising step; not empty, finite.
};

// Losses against steps. The axis begins with the highest loss past the first quarter of each run: what lies above it is
// cut off, which `is_cut` tells.
struct ReportCurves {
  std::string name;
  std::string y_title;
  std::vector<ReportCurve> curves;  // Not empty.
  bool is_wide = false;             // For a whole row of the page.
};
std::string CurvesSvg(const ReportCurves& curves, const ReportStyles& styles, bool* is_cut);

}  // namespace ridgeline
