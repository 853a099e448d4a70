// SPDX-License-Identifier: Apache-2.0
// What does not change from report to report: its style sheet and its script.
#pragma once

#include <string_view>

namespace ridgeline {

extern const std::string_view kReportStyle;

// Sorts tables, filters points, and joins each point's dots, curve and row when one of them is pointed at.
extern const std::string_view kReportScript;

}  // namespace ridgeline
