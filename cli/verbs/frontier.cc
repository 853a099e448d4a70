// SPDX-License-Identifier: Apache-2.0
// `ridgeline frontier list/export/plot/report`: measured points, the Pareto set among them, files, pictures and pages
// of both.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/shared/exit_code.h"
#include "cli/shared/flat_recipe.h"
#include "cli/shared/job_text.h"
#include "cli/shared/parse.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/file_writer.h"
#include "common/number_option.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "frontier/csv.h"
#include "frontier/hypervolume.h"
#include "frontier/pareto.h"
#include "frontier/plot.h"
#include "frontier/report.h"

namespace ridgeline {
namespace {

struct FrontierOptions {
  std::string job;
  std::vector<std::string> selectors;
  OutputFormat format = OutputFormat::kTable;  // Of list.
  std::string export_format = "csv";
  std::vector<std::string> out;
  std::string title;
  std::optional<double> reference_bytes;  // Of hypervolumes.
  std::string csv;                        // Of report: points from this file instead.
};

// Of a file that was written: its folders may be new, and the name typed from anywhere.
void PrintWritten(const std::string& typed) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(typed, error);
  PrintOut("{}\n", error ? typed : path.lexically_normal().string());
}

absl::StatusOr<std::vector<v1::FrontierPoint>> ReadPoints(const Session& session, const FrontierOptions& options) {
  v1::ListPointsRequest request;
  request.set_job(options.job);
  ASSIGN_OR_RETURN(const auto selector, ParseSelector(options.selectors));
  request.mutable_selector()->insert(selector.begin(), selector.end());
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(std::vector<v1::FrontierPoint> points, client.ListPoints(request));
  MarkPareto(&points);
  return points;
}

absl::StatusOr<std::string> PointsAs(const std::vector<v1::FrontierPoint>& points, OutputFormat format) {
  v1::ListPointsResponse response;
  for (const v1::FrontierPoint& point : points) *response.add_points() = point;
  return FormatMessage(response, format);
}

// The points, and what those of each model and dataset reach together.
absl::StatusOr<std::string> ListAs(const std::vector<v1::FrontierPoint>& points,
                                   const std::vector<Hypervolume>& volumes, OutputFormat format) {
  v1::ListPointsResponse response;
  for (const v1::FrontierPoint& point : points) *response.add_points() = point;
  ASSIGN_OR_RETURN(nlohmann::ordered_json json, MessageToJson(response));
  json["hypervolumes"] = nlohmann::ordered_json::array();
  for (const Hypervolume& volume : volumes) {
    json["hypervolumes"].push_back({{"model", volume.model},
                                    {"dataset", volume.dataset},
                                    {"points", volume.points},
                                    {"pareto_points", volume.pareto},
                                    {"reference_bytes", volume.reference_bytes},
                                    {"accuracy_octaves", volume.accuracy_octaves}});
  }
  return FormatJson(json, format);
}

void PrintTable(const std::vector<v1::FrontierPoint>& points, const std::vector<Hypervolume>& volumes) {
  WriteOut(PointTable(points, StyleOf(stdout)));
  PrintOut("\n");
  for (const Hypervolume& volume : volumes) {
    PrintOut("{} on {}: {} {}, {} Pareto; hypervolume {}\n", volume.model, volume.dataset, volume.points,
             volume.points == 1 ? "point" : "points", volume.pareto, HypervolumeText(volume));
  }
}

absl::StatusOr<int> RunList(const Session& session, const FrontierOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<v1::FrontierPoint> points, ReadPoints(session, options));
  if (options.format == OutputFormat::kName) {
    for (const v1::FrontierPoint& point : points) PrintOut("{}\n", point.point_id());
    return kExitOk;
  }
  const std::vector<Hypervolume> volumes = Hypervolumes(points, options.reference_bytes);
  if (options.format != OutputFormat::kTable) {
    ASSIGN_OR_RETURN(const std::string text, ListAs(points, volumes, options.format));
    WriteOut(text);
  } else if (points.empty()) {
    PrintErr("ridgeline: no points yet; each job that succeeds leaves one\n");
  } else {
    PrintTable(points, volumes);
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
  PrintWritten(options.out.front());
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
    PrintWritten(path);
  }
  return kExitOk;
}

// The jobs of the points that the coordinator still has.
absl::StatusOr<std::map<std::string, ReportJob>> JobsOf(const Client& client,
                                                        const std::vector<v1::FrontierPoint>& points) {
  std::map<std::string, ReportJob> jobs;
  for (const v1::FrontierPoint& point : points) {
    const absl::StatusOr<v1::Job> job = client.GetJob(point.job_id());
    if (absl::IsNotFound(job.status())) continue;
    RETURN_IF_ERROR(job.status());
    ASSIGN_OR_RETURN(const v1::GetMetricsResponse metrics, client.GetMetrics(job->id()));
    ReportJob& report_job = jobs[point.job_id()];
    ASSIGN_OR_RETURN(report_job.recipe, FlattenRecipe(job->recipe()));
    report_job.curve.assign(metrics.points().begin(), metrics.points().end());
  }
  return jobs;
}

absl::Status ReadReportFromCsv(const std::string& path, FrontierReport* report) {
  ASSIGN_OR_RETURN(const std::string csv, ReadFile(path));
  absl::StatusOr<std::vector<v1::FrontierPoint>> points = FrontierFromCsv(csv);
  if (!points.ok())
    return absl::Status(points.status().code(), fmt::format("{}: {}", path, std::string(points.status().message())));
  report->points = *std::move(points);
  MarkPareto(&report->points);
  report->source = std::filesystem::path(path).filename().string();
  return absl::OkStatus();
}

absl::Status ReadReportFromCoordinator(const Session& session, const FrontierOptions& options, FrontierReport* report) {
  ASSIGN_OR_RETURN(report->points, ReadPoints(session, options));
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(report->jobs, JobsOf(client, report->points));
  report->source = "coordinator " + client.address();
  return absl::OkStatus();
}

absl::StatusOr<int> RunReport(const Session& session, const FrontierOptions& options) {
  FrontierReport report;
  RETURN_IF_ERROR(options.csv.empty() ? ReadReportFromCoordinator(session, options, &report)
                                      : ReadReportFromCsv(options.csv, &report));
  report.title = options.title;
  report.date = TimeText(SystemClock().WallUnixMs());
  report.version = RIDGELINE_VERSION;
  report.reference_bytes = options.reference_bytes;
  const absl::StatusOr<std::string> html = FrontierReportHtml(report);
  // Without points nothing conflicts: a plain error for scripts.
  if (absl::IsFailedPrecondition(html.status())) return absl::UnknownError(html.status().message());
  RETURN_IF_ERROR(html.status());
  RETURN_IF_ERROR(WriteOutputFile(options.out.front(), *html));
  PrintWritten(options.out.front());
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

void AddReferenceBytes(CLI::App* verb, FrontierOptions* options) {
  verb->add_option("--reference-bytes", options->reference_bytes,
                   "Where the hypervolume ends (default: the most bytes of a point of that model and dataset)")
      ->check(NumberFrom(1, 1e18))
      ->type_name("BYTES");
}

}  // namespace

void AddFrontierVerb(CLI::App* app, Session* session) {
  CLI::App* frontier =
      AddVerb(app, "frontier", "Measured points: accuracy, stored bytes, energy", "ridgeline frontier list");
  frontier->require_subcommand(1);

  CLI::App* list =
      AddVerb(frontier, "list", "Show points; a * marks the Pareto set", "ridgeline frontier list --job job-1");
  auto list_options = AddSelection(list);
  AddReferenceBytes(list, list_options.get());
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

  CLI::App* report =
      AddVerb(frontier, "report", "Points, plots, recipes and loss curves as one HTML page that needs no network",
              "ridgeline frontier report --job job-1 --out frontier.html");
  auto report_options = AddSelection(report);
  report_options->out = {"frontier.html"};
  report->add_option("--out", report_options->out, "File to write (default: frontier.html)")
      ->type_name("FILE")
      ->expected(1);
  report->add_option("--title", report_options->title, "Title of the page")->type_name("TEXT");
  AddReferenceBytes(report, report_options.get());
  report
      ->add_option(
          "--csv", report_options->csv,
          "Points of this file, as `frontier export` writes it, in place of the coordinator's: without recipes "
          "and loss curves")
      ->type_name("FILE")
      ->excludes("--job", "--selector");
  SetAction(report, session, report_options, RunReport);
}

}  // namespace ridgeline
