// SPDX-License-Identifier: Apache-2.0
// `ridgeline compare JOB...`: jobs side by side: what their recipes differ in, how their losses went, where they ended.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "cli/shared/exit_code.h"
#include "cli/shared/flat_recipe.h"
#include "cli/shared/table.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/file.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "frontier/curves_plot.h"
#include "frontier/recipe_differences.h"

namespace ridgeline {
namespace {

struct CompareOptions {
  std::vector<std::string> jobs;
  std::string format = "table";
  std::vector<std::string> out;
  std::string title;
};

struct Compared {
  v1::Job job;
  std::vector<v1::MetricPoint> points;
};

// The jobs, a sweep's parent replaced by its children.
absl::StatusOr<std::vector<Compared>> Fetch(const Client& client, const std::vector<std::string>& names) {
  std::vector<Compared> compared;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const v1::Job job, client.GetJob(name));
    std::vector<v1::Job> jobs = {job};
    if (!job.child_ids().empty()) {
      v1::ListJobsRequest request;
      request.set_parent_id(job.id());
      ASSIGN_OR_RETURN(jobs, client.ListJobs(request));
    }
    for (const v1::Job& each : jobs) {
      ASSIGN_OR_RETURN(const v1::GetMetricsResponse metrics, client.GetMetrics(each.id()));
      compared.push_back({each, {metrics.points().begin(), metrics.points().end()}});
    }
  }
  return compared;
}

// The keys in which the recipes differ, with a value for each job.
absl::StatusOr<std::map<std::string, std::vector<std::string>>> Differences(const std::vector<Compared>& jobs) {
  std::vector<FlatRecipe> recipes;
  for (const Compared& job : jobs) {
    ASSIGN_OR_RETURN(FlatRecipe recipe, FlattenRecipe(job.job.recipe()));
    recipes.push_back(std::move(recipe));
  }
  return RecipeDifferences(recipes);
}

struct Ends {
  std::string first, last;
};

// Formatted first and last value of a metric that not every point has.
template <typename Has, typename Get>
Ends EndsOf(const std::vector<v1::MetricPoint>& points, const Has& has, const Get& get) {
  Ends ends;
  for (const v1::MetricPoint& point : points) {
    if (!has(point)) continue;
    ends.last = fmt::format("{:.4f}", get(point));
    if (ends.first.empty()) ends.first = ends.last;
  }
  return ends;
}

Ends HeldOut(const Compared& job) {
  return EndsOf(
      job.points, [](const auto& p) { return p.has_validation_loss(); },
      [](const auto& p) { return p.validation_loss(); });
}
Ends Second(const Compared& job) {
  return EndsOf(
      job.points, [](const auto& p) { return p.has_second_loss(); }, [](const auto& p) { return p.second_loss(); });
}

void PrintTables(const std::vector<Compared>& jobs,
                 const std::map<std::string, std::vector<std::string>>& differences) {
  Table losses({{"JOB"},
                {"NAME"},
                {"STEPS", true},
                {"FIRST LOSS", true},
                {"LAST LOSS", true},
                {"FIRST 2ND", true},
                {"LAST 2ND", true}});
  for (const Compared& job : jobs) {
    const Ends held_out = HeldOut(job), second = Second(job);
    const int64_t steps = job.points.empty() ? 0 : job.points.back().step();
    losses.AddRow({job.job.id(), job.job.name(), std::to_string(steps), held_out.first, held_out.last, second.first,
                   second.last});
  }
  WriteOut(losses.ToString(StyleOf(stdout)));
  if (differences.empty()) return;
  PrintOut("\nWhat the recipes differ in:\n");
  std::vector<Table::Column> columns = {{"KEY"}};
  for (const Compared& job : jobs) columns.push_back({job.job.id()});
  Table table(columns);
  for (const auto& [key, values] : differences) {
    std::vector<std::string> row = {key};
    row.insert(row.end(), values.begin(), values.end());
    table.AddRow(row);
  }
  WriteOut(table.ToString(StyleOf(stdout)));
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

// A row a point; absent values are empty.
void PrintCsv(const std::vector<Compared>& jobs) {
  PrintOut("job,name,step,train_loss,validation_loss,validation_accuracy,second_loss,second_accuracy\n");
  auto cell = [](bool has, double value) { return has ? fmt::format("{:.6g}", value) : std::string(); };
  for (const Compared& job : jobs)
    for (const v1::MetricPoint& p : job.points) {
      if (!p.has_train_loss() && !p.has_validation_loss()) continue;
      PrintOut("{},{},{},{},{},{},{},{}\n", job.job.id(), CsvField(job.job.name()), p.step(),
               cell(p.has_train_loss(), p.train_loss()), cell(p.has_validation_loss(), p.validation_loss()),
               cell(p.has_validation_accuracy(), p.validation_accuracy()), cell(p.has_second_loss(), p.second_loss()),
               cell(p.has_second_accuracy(), p.second_accuracy()));
    }
}

absl::Status PrintJson(const std::vector<Compared>& jobs,
                       const std::map<std::string, std::vector<std::string>>& differences) {
  nlohmann::ordered_json json = {{"jobs", nlohmann::ordered_json::array()}, {"differences", differences}};
  for (const Compared& job : jobs) {
    nlohmann::ordered_json points = nlohmann::ordered_json::array();
    for (const v1::MetricPoint& point : job.points) {
      ASSIGN_OR_RETURN(nlohmann::ordered_json each, MessageToJson(point));
      points.push_back(std::move(each));
    }
    json["jobs"].push_back({{"id", job.job.id()}, {"name", job.job.name()}, {"points", std::move(points)}});
  }
  WriteOut(FormatJson(json, OutputFormat::kJson));
  return absl::OkStatus();
}

absl::Status Draw(const std::vector<Compared>& jobs, const CompareOptions& options) {
  std::vector<JobCurve> curves;
  for (const Compared& job : jobs) curves.push_back({job.job.name(), job.points});
  CurvesPlotOptions plot;
  if (!options.title.empty()) plot.title = options.title;
  for (const std::string& path : options.out) {
    const absl::StatusOr<PictureNotes> notes = PlotCurves(curves, path, plot);
    // Without gnuplot or validations nothing conflicts: a plain error for scripts.
    if (absl::IsFailedPrecondition(notes.status())) return absl::UnknownError(notes.status().message());
    RETURN_IF_ERROR(notes.status());
    if (const std::string warning = notes->Warning(); !warning.empty()) PrintErr("ridgeline: warning: {}\n", warning);
    PrintErr("{}\n", path);
  }
  return absl::OkStatus();
}

absl::StatusOr<int> RunCompare(const Session& session, const CompareOptions& options) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(const std::vector<Compared> jobs, Fetch(client, options.jobs));
  ASSIGN_OR_RETURN(const auto differences, Differences(jobs));
  if (options.format == "csv")
    PrintCsv(jobs);
  else if (options.format == "json")
    RETURN_IF_ERROR(PrintJson(jobs, differences));
  else
    PrintTables(jobs, differences);
  RETURN_IF_ERROR(Draw(jobs, options));
  return kExitOk;
}

}  // namespace

void AddCompareVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* verb = AddVerb(app, "compare", "Jobs side by side: recipes, loss curves, where they ended",
                           "ridgeline compare job-1 job-2 --out curves.png");
  verb->add_option("job", options->jobs, "Ids or names; a sweep's parent stands for its children")
      ->required()
      ->type_name("JOB...");
  verb->add_option("-o,--output", options->format, "table (default), csv (a row a point) or json")
      ->check(CLI::IsMember({"table", "csv", "json"}))
      ->type_name("FORMAT");
  verb->add_option("--out", options->out, "Also draw the held-out losses: .svg or .png; repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false);
  verb->add_option("--title", options->title, "Title of the picture")->type_name("TEXT");
  SetAction(verb, session, options, RunCompare);
}

}  // namespace ridgeline
