// SPDX-License-Identifier: Apache-2.0
#include "frontier/gnuplot.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>

#include "common/file.h"
#include "common/file_writer.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"
#include "frontier/glyphs.h"
#include "frontier/run_program.h"

namespace ridgeline {
namespace {

// A folder of our own that goes away with this object.
class ScratchFolder {
 public:
  static absl::StatusOr<std::unique_ptr<ScratchFolder>> Make() {
    std::string path = (std::filesystem::temp_directory_path() / "ridgeline-plot-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) return ErrnoStatus(errno, fmt::format("creating {}", path));
    return std::make_unique<ScratchFolder>(path);
  }
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string File(const char* name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

absl::StatusOr<ProgramOutput> RunGnuplot(const ScratchFolder& folder) {
  absl::StatusOr<ProgramOutput> output = RunProgram({"gnuplot", "--default-settings", "plot.gp"}, folder.path());
  if (absl::IsNotFound(output.status()))
    return absl::FailedPreconditionError("plots need gnuplot; install it (Debian: apt-get install gnuplot-nox)");
  return output;
}

// A viewer shows each character in the first of these that has it.
void NameFallbackFonts(std::string* svg) {
  const std::string ours = fmt::format("font-family=\"{}\"", kPlotFont);
  const std::string with_others = fmt::format(
      "font-family=\"{}, Noto Sans, Noto Sans CJK SC, WenQuanYi Micro Hei, Noto Color Emoji, sans-serif\"", kPlotFont);
  for (size_t at = svg->find(ours); at != std::string::npos; at = svg->find(ours, at + with_others.size())) {
    svg->replace(at, ours.size(), with_others);
  }
}

}  // namespace

absl::StatusOr<std::string> GnuplotTerminalFor(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  if (ending == ".svg") return std::string("svg");
  if (ending == ".png") return std::string("pngcairo");
  return absl::InvalidArgumentError(
      fmt::format("'{}' ends with neither .svg nor .png; name the picture with one", path));
}

std::string GnuplotString(const std::string& text) {
  bool valid = Utf8ToCodePoints(text).ok();
  std::string quoted = "'";
  for (char c : text) {
    unsigned char byte = static_cast<unsigned char>(c);
    if (c == '\'')
      quoted += "’";
    else if (byte < 0x20 || byte == 0x7F)
      quoted += ' ';
    else
      quoted += byte >= 0x80 && !valid ? '?' : c;
  }
  return quoted + "'";
}

std::string PictureNotes::Warning() const {
  if (missing_glyphs.empty()) return "";
  return fmt::format(
      "no installed font has {}: the picture shows □ instead (Debian: apt-get install fonts-noto-core "
      "fonts-wqy-microhei; "
      "an .svg needs fonts only where it is looked at)",
      missing_glyphs);
}

absl::StatusOr<PictureNotes> DrawWithGnuplot(const std::string& script, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string terminal, GnuplotTerminalFor(path));
  ASSIGN_OR_RETURN(auto folder, ScratchFolder::Make());
  PictureNotes notes;
  const bool is_svg = terminal == "svg";
  const std::string drawable =
      is_svg ? script : WithoutMissing(script, Glyphs::OfInstalledFonts(), &notes.missing_glyphs);
  RETURN_IF_ERROR(WriteFileAtomically(folder->File("plot.gp"), drawable));
  ASSIGN_OR_RETURN(const ProgramOutput output, RunGnuplot(*folder));
  auto picture = ReadFile(folder->File(kGnuplotOutput));
  if (output.exit_code != 0 || !picture.ok() || picture->empty()) {
    return absl::InternalError(fmt::format("gnuplot failed with exit code {}: {}", output.exit_code, output.text));
  }
  if (is_svg) NameFallbackFonts(&*picture);
  RETURN_IF_ERROR(WriteOutputFile(path, *picture));
  return notes;
}

}  // namespace ridgeline
