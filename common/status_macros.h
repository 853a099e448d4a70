// SPDX-License-Identifier: Apache-2.0
// Early return on errors: errors cross rooms as absl::Status and absl::StatusOr values.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define RIDGELINE_CONCAT_INNER(a, b) a##b
#define RIDGELINE_CONCAT(a, b) RIDGELINE_CONCAT_INNER(a, b)

// Returns the status from the enclosing function if it is an error.
#define RETURN_IF_ERROR(expression)                                         \
  do {                                                                      \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

// Assigns the value of a StatusOr, or returns its error from the enclosing function.
#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_IMPL(RIDGELINE_CONCAT(status_or_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_IMPL(variable, target, expression) \
  auto variable = (expression);                             \
  if (!variable.ok()) return std::move(variable).status();  \
  target = std::move(variable).value()
