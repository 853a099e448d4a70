// SPDX-License-Identifier: Apache-2.0
// Plans for people and for programs, with what they assume. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/shared/terminal.h"
#include "plan/plan.h"

namespace ridgeline {

// All for one device and one dtype of compute. What is assumed goes with the figures.
struct PlanReport {
  Device device;
  std::vector<Plan> plans;
};

nlohmann::ordered_json PlanReportJson(const PlanReport& report);

// One plan line by line, several as a row each; then the assumptions.
std::string PlanReportText(const PlanReport& report, const Style& style);

}  // namespace ridgeline
