// SPDX-License-Identifier: Apache-2.0
// The text that eval scores and generate goes on from.
#include <iostream>
#include <iterator>

#include "common/file.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"
#include "inference/verbs.h"
#include "weights/file_kind.h"

namespace ridgeline {

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::string text;
  if (path == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else {
    ASSIGN_OR_RETURN(text, ReadFile(path));
  }
  RETURN_IF_ERROR(CheckFileKind(text, path == "-" ? "standard input" : path, FileKind::kText));
  if (text.starts_with(kByteOrderMark)) {
    PrintErr("ridgeline: {} begins with a byte order mark, which is left out\n", path);
    text.erase(0, kByteOrderMark.size());
  }
  const auto code_points = Utf8ToCodePoints(text);
  if (!code_points.ok())
    return absl::InvalidArgumentError(fmt::format("{}: {}", path, std::string(code_points.status().message())));
  return text;
}

}  // namespace ridgeline
