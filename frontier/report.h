// SPDX-License-Identifier: Apache-2.0
// Frontier points as one HTML page that needs nothing else: it opens without a network, and its policy forbids every
// request.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontier/recipe_differences.h"
#include "ridgeline/v1/frontier.pb.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

struct ReportJob {
  FlatRecipe recipe;
  std::vector<v1::MetricPoint> curve;  // By rising step.
};

struct FrontierReport {
  std::vector<v1::FrontierPoint> points;  // With their marks (MarkPareto).
  // By id: the jobs of these points that are still known. Nothing where nobody was asked (points of a CSV file).
  std::optional<std::map<std::string, ReportJob>> jobs;
  std::string title;                      // Empty: says what it is of.
  std::string source;                     // Where the points came from: "coordinator 127.0.0.1:7700", "frontier.csv".
  std::string date;                       // When it was made, for people.
  std::string version;                    // Of the program that makes it.
  std::optional<double> reference_bytes;  // Of hypervolumes, as Hypervolumes takes it.
};

// A section for each model and dataset: accuracy against bytes and energy, decoding speed against bytes, a table of all
// points that can be sorted, what their recipes differ in, and their held-out losses over the steps. All text of points
// and jobs is escaped. FAILED_PRECONDITION without points.
absl::StatusOr<std::string> FrontierReportHtml(const FrontierReport& report);

}  // namespace ridgeline
