// SPDX-License-Identifier: Apache-2.0
// The gnuplot program that draws a frontier. Names from outside enter it only as quoted strings.
#pragma once

#include <string>
#include <vector>

#include "frontier/plot.h"
#include "ridgeline/v1/frontier.pb.h"

namespace ridgeline {

// A gnuplot string for this text, in single quotes, where nothing is substituted or executed. An apostrophe becomes
// a typographic one (gnuplot 5.4 mistakes a doubled one at the start for the end of the string), a control character
// a space, a byte that is not UTF-8 a question mark.
std::string GnuplotString(const std::string& text);

// Empty if no point has both accuracy and stored bytes (over 0). `terminal` is "svg" or "pngcairo"; the program writes
// `output`.
std::string FrontierPlotScript(const std::vector<v1::FrontierPoint>& points, const FrontierPlotOptions& options,
                               const std::string& terminal, const std::string& output);

}  // namespace ridgeline
