// SPDX-License-Identifier: Apache-2.0
// The tables of a report, as HTML that the page's script sorts.
#pragma once

#include <string>
#include <vector>

#include "frontier/recipe_differences.h"
#include "ridgeline/v1/frontier.pb.h"

namespace ridgeline {

struct ReportRow {
  const v1::FrontierPoint* point = nullptr;
  std::string id;  // Joins it with its dots and its curve: data-p.
};

// All points with everything that some of them measured, in units that suit all of a column. Settings in which all
// points are alike stand in a line below the table.
std::string PointsTableHtml(const std::vector<ReportRow>& rows);

// A row for each key in which the recipes differ, a column for each point. Null where a point's job is gone.
// REQUIRES: as many recipes as rows.
std::string RecipesTableHtml(const std::vector<ReportRow>& rows, const std::vector<const FlatRecipe*>& recipes);

}  // namespace ridgeline
