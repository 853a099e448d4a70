// SPDX-License-Identifier: Apache-2.0
// How losses went over the steps of several jobs, as a picture, drawn by gnuplot.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontier/gnuplot.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

struct JobCurve {
  std::string name;
  std::vector<v1::MetricPoint> points;  // By rising step.
};

struct CurvesPlotOptions {
  std::string title = "Held-out loss";
  int width_px = 1600;
  int height_px = 760;
};

// Held-out loss against steps, one line a job; a second panel with the loss on the second kind of text where some job
// has it. The ending of `path` decides: .svg or .png. FAILED_PRECONDITION without gnuplot, or if no job was validated.
absl::StatusOr<PictureNotes> PlotCurves(const std::vector<JobCurve>& curves, const std::string& path,
                                        const CurvesPlotOptions& options = {});

// The program that draws them; empty if no job was validated.
std::string CurvesPlotScript(const std::vector<JobCurve>& curves, const CurvesPlotOptions& options,
                             const std::string& terminal);

}  // namespace ridgeline
