// SPDX-License-Identifier: Apache-2.0
// The frontier as a picture, drawn by gnuplot.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontier/gnuplot.h"
#include "ridgeline/v1/frontier.pb.h"

namespace ridgeline {

struct FrontierPlotOptions {
  std::string title = "Ridgeline frontier";
  int width_px = 1600;
  int height_px = 760;
};

// Two panels: accuracy against stored bytes and against energy (by the measure that all drawn points have in common,
// see frontier/energy.h; the axis names it), both costs on a logarithmic axis; one colour an estimator, one marker a
// format, the Pareto line, and every point labelled without overlap. The ending of `path` decides: .svg or .png.
// FAILED_PRECONDITION without gnuplot or without points.
absl::StatusOr<PictureNotes> PlotFrontier(const std::vector<v1::FrontierPoint>& points, const std::string& path,
                                          const FrontierPlotOptions& options = {});

}  // namespace ridgeline
