// SPDX-License-Identifier: Apache-2.0
// `ridgeline frontier list/export/plot`: measured points, the Pareto set among them, files and pictures of both.
#include <fmt/format.h>

#include "cli/shared/exit_code.h"
#include "cli/shared/job_text.h"
#include "cli/shared/parse.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/file_writer.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "frontier/csv.h"
#include "frontier/pareto.h"
#include "frontier/plot.h"

namespace ridgeline {
namespace {

struct FrontierOptions {
  std::string job;
  std::vector<std::string> selectors;
  OutputFormat format = OutputFormat::kTable;  // Of list.
  std::string export_format = "csv";
  std::vector<std::string> out;
  std::string title;
};

absl::StatusOr<std::vector<v1::FrontierPoint>> ReadPoints(const Session& session, const FrontierOptions& options) {
  v1::ListPointsRequest request;
  request.set_job(options.job);
  ASSIGN_OR_RETURN(const auto selector, ParseSelector(options.selectors));
  request.mutable_selector()->insert(selector.begin(), selector.end());
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(const v1::ListPointsResponse response, client.ListPoints(request));
  std::vector<v1::FrontierPoint> points(response.points().begin(), response.points().end());
  MarkPareto(&points);
  return points;
}

absl::StatusOr<std::string> PointsAs(const std::vector<v1::FrontierPoint>& points, OutputFormat format) {
  v1::ListPointsResponse response;
  for (const v1::FrontierPoint& point : points) *response.add_points() = point;
  return FormatMessage(response, format);
}

absl::StatusOr<int> RunList(const Session& session, const FrontierOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<v1::FrontierPoint> points, ReadPoints(session, options));
  if (options.format == OutputFormat::kName) {
    for (const v1::FrontierPoint& point : points) PrintOut("{}\n", point.point_id());
  } else if (options.format == OutputFormat::kTable) {
    if (points.empty()) PrintErr("ridgeline: no points yet; each job that succeeds leaves one\n");
    if (!points.empty()) WriteOut(PointTable(points, StyleOf(stdout)));
  } else {
    ASSIGN_OR_RETURN(const std::string text, PointsAs(points, options.format));
    WriteOut(text);
  }
  return kExitOk;
}

absl::StatusOr<int> RunExport(const Session& session, const FrontierOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<v1::FrontierPoint> points, ReadPoints(session, options));
  std::string text;
  if (options.export_format == "csv") {
    text = FrontierToCsv(points);
  } else {
    ASSIGN_OR_RETURN(text, PointsAs(points, OutputFormat::kJson));
  }
  if (options.out.empty()) {
    WriteOut(text);
    return kExitOk;
  }
  RETURN_IF_ERROR(WriteOutputFile(options.out.front(), text));
  PrintOut("{}\n", options.out.front());
  return kExitOk;
}

absl::StatusOr<int> RunPlot(const Session& session, const FrontierOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<v1::FrontierPoint> points, ReadPoints(session, options));
  FrontierPlotOptions plot;
  if (!options.title.empty()) plot.title = options.title;
  for (const std::string& path : options.out) {
    const absl::StatusOr<PictureNotes> notes = PlotFrontier(points, path, plot);
    // Without gnuplot or points nothing conflicts: a plain error for scripts.
    if (absl::IsFailedPrecondition(notes.status())) return absl::UnknownError(notes.status().message());
    RETURN_IF_ERROR(notes.status());
    if (const std::string warning = notes->Warning(); !warning.empty()) PrintErr("ridgeline: warning: {}\n", warning);
    PrintOut("{}\n", path);
  }
  return kExitOk;
}

std::shared_ptr<FrontierOptions> AddSelection(CLI::App* verb) {
  auto options = std::make_shared<FrontierOptions>();
  verb->add_option("--job", options->job, "Only this job's points; a sweep's parent: its children's")->type_name("JOB");
  verb->add_option("-l,--selector", options->selectors, "Only points of jobs with these labels; repeatable")
      ->type_name("KEY=VALUE,...")
      ->allow_extra_args(false);
  return options;
}

}  // namespace

void AddFrontierVerb(CLI::App* app, Session* session) {
  CLI::App* frontier =
      AddVerb(app, "frontier", "Measured points: accuracy, stored bytes, energy", "ridgeline frontier list");
  frontier->require_subcommand(1);

  CLI::App* list =
      AddVerb(frontier, "list", "Show points; a * marks the Pareto set", "ridgeline frontier list --job job-1");
  auto list_options = AddSelection(list);
  AddOutputOption(list, &list_options->format);
  SetAction(list, session, list_options, RunList);

  CLI::App* exported =
      AddVerb(frontier, "export", "Write points as csv or json", "ridgeline frontier export -o csv --out frontier.csv");
  auto export_options = AddSelection(exported);
  exported->add_option("-o,--output", export_options->export_format, "csv (default) or json")
      ->check(CLI::IsMember({"csv", "json"}))
      ->type_name("FORMAT");
  exported->add_option("--out", export_options->out, "File to write (default: standard output)")
      ->type_name("FILE")
      ->expected(1);
  SetAction(exported, session, export_options, RunExport);

  CLI::App* plot = AddVerb(frontier, "plot", "Draw accuracy against bytes and energy, as SVG or PNG",
                           "ridgeline frontier plot --job job-1 --out frontier.svg --out frontier.png");
  auto plot_options = AddSelection(plot);
  plot_options->out = {"frontier.svg", "frontier.png"};
  plot->add_option("--out", plot_options->out,
                   "File to write, .svg or .png; repeatable (default: frontier.svg and .png)")
      ->type_name("FILE")
      ->allow_extra_args(false);
  plot->add_option("--title", plot_options->title, "Title of the picture")->type_name("TEXT");
  SetAction(plot, session, plot_options, RunPlot);
}

}  // namespace ridgeline
