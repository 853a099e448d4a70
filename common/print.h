// SPDX-License-Identifier: Apache-2.0
// What programs print. fmt::print throws where text cannot be written, and what is lost with the buffer of standard
// output is noticed by nobody; here the first error is kept, and the program's exit code tells of it.
#pragma once

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"

namespace ridgeline {

// To call first in main: descriptors 0 to 2 are open afterwards, so that no file of ours becomes standard output.
void OpenStandardStreams();

// Not thread-safe. A reader that went away (`| head`) ends the process as SIGPIPE does, without a word.
void WriteOut(std::string_view text);
// Never fails: there is no place left to say it.
void WriteErr(std::string_view text);

template <typename... Args>
void PrintOut(fmt::format_string<Args...> format, Args&&... args) {
  WriteOut(fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void PrintErr(fmt::format_string<Args...> format, Args&&... args) {
  WriteErr(fmt::format(format, std::forward<Args>(args)...));
}

// The first error of all that was printed so far; what follows an error is not printed. UNKNOWN, whose exit code is 1.
absl::Status FlushOut();

// To call last in main: flushes and closes standard output. `exit_code`; or 1 if that was 0 and something could not be
// written. Says so, unless an error (1) has been told already.
int FinishOutput(int exit_code);

}  // namespace ridgeline
