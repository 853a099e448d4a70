// SPDX-License-Identifier: Apache-2.0
// One look at the head of a foreign file: is it of the kind that is wanted, or something else that people meet in its
// place (a Git LFS pointer, an error page, an archive, another format)?
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace ridgeline {

// kTokenizer: a SentencePiece model or a JSON, told by their readers. kText: anything that may be a corpus, so also
// HTML and JSON.
enum class FileKind { kGguf, kSafetensors, kJson, kTokenizer, kText };

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Bytes of a file that CheckFileKind looks at, at most; the whole of a shorter file.
inline constexpr size_t kHeadBytes = 512;

// OK if the head may be one of `wanted`: whether it is, its reader says. DATA_LOSS in the form "PATH: this is WHAT, not
// WANTED; REMEDY" if it is known to be something else, or empty. Safe on any input.
absl::Status CheckFileKind(std::string_view head, const std::string& path, FileKind wanted);

}  // namespace ridgeline
