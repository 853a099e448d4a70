// SPDX-License-Identifier: Apache-2.0
// Runs gnuplot, without a shell, in a scratch folder of its own.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// What a script must write to.
inline constexpr char kGnuplotOutput[] = "picture";

// "svg" or "pngcairo" by the ending of `path`; INVALID_ARGUMENT for other endings.
absl::StatusOr<std::string> GnuplotTerminalFor(const std::string& path);

// A gnuplot string for this text, in single quotes, where nothing is substituted or executed. An apostrophe becomes
// a typographic one (gnuplot 5.4 mistakes a doubled one at the start for the end of the string), a control character
// a space, a byte that is not UTF-8 a question mark.
std::string GnuplotString(const std::string& text);

// The font of all text, as gnuplot and SVG viewers know it.
inline constexpr char kPlotFont[] = "DejaVu Sans";

// What a picture lacks.
struct PictureNotes {
  std::string missing_glyphs;  // Characters of the script that no installed font has.
  // For people, with a remedy; empty if the picture lacks nothing.
  std::string Warning() const;
};

// Writes the picture to `path` (see FileWriter), .svg or .png as GnuplotTerminalFor has it. FAILED_PRECONDITION without
// gnuplot; INTERNAL with its messages if it fails.
absl::StatusOr<PictureNotes> DrawWithGnuplot(const std::string& script, const std::string& path);

}  // namespace ridgeline
