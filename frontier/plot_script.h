// SPDX-License-Identifier: Apache-2.0
// The gnuplot program that draws a frontier. Names from outside enter it only as quoted strings.
#pragma once

#include <string>
#include <vector>

#include "frontier/plot.h"
#include "ridgeline/v1/frontier.pb.h"

namespace ridgeline {

// Empty if no point has both accuracy and stored bytes (over 0). `terminal` is "svg" or "pngcairo"; the program writes
// `output`.
std::string FrontierPlotScript(const std::vector<v1::FrontierPoint>& points, const FrontierPlotOptions& options,
                               const std::string& terminal, const std::string& output);

}  // namespace ridgeline
