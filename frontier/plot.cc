// SPDX-License-Identifier: Apache-2.0
#include "frontier/plot.h"

#include "common/status_macros.h"
#include "fmt/format.h"
#include "frontier/gnuplot.h"
#include "frontier/plot_script.h"

namespace ridgeline {

absl::StatusOr<PictureNotes> PlotFrontier(const std::vector<v1::FrontierPoint>& points, const std::string& path,
                                          const FrontierPlotOptions& options) {
  ASSIGN_OR_RETURN(std::string terminal, GnuplotTerminalFor(path));
  std::string script = FrontierPlotScript(points, options, terminal, kGnuplotOutput);
  if (script.empty()) {
    return absl::FailedPreconditionError(fmt::format(
        "none of the {} points has accuracy and stored bytes, so there is nothing to plot; let a job finish first",
        points.size()));
  }
  return DrawWithGnuplot(script, path);
}

}  // namespace ridgeline
