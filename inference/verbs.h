// SPDX-License-Identifier: Apache-2.0
// What ridgeline-inference does, one file a verb. Each returns an exit code, or an error for main to print; data goes
// to standard output, all else to standard error.
#pragma once

#include "absl/status/statusor.h"
#include "inference/options.h"

namespace ridgeline {

absl::StatusOr<int> RunGenerate(const GenerateOptions& options);
absl::StatusOr<int> RunEval(const EvalOptions& options);
absl::StatusOr<int> RunExport(const ExportOptions& options);

// A whole text file; "-" is standard input. INVALID_ARGUMENT with the place if it is not UTF-8.
absl::StatusOr<std::string> ReadText(const std::string& path);

}  // namespace ridgeline
