// SPDX-License-Identifier: Apache-2.0
// Text for jobs and points; units stand in the column titles.
#include "cli/shared/job_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <optional>

#include "cli/shared/exit_code.h"
#include "cli/shared/table.h"
#include "common/printable.h"
#include "frontier/energy.h"
#include "frontier/plot_layout.h"
#include "recipes/exit_reason.h"

namespace ridgeline {
namespace {

constexpr int kStateWidth = 9;
constexpr int kBarWidth = 24;

Color ColorOf(v1::JobState state) {
  switch (state) {
    case v1::RUNNING:
      return Color::kBlue;
    case v1::SUCCEEDED:
      return Color::kGreen;
    case v1::FAILED:
      return Color::kRed;
    case v1::CANCELLED:
      return Color::kYellow;
    default:
      return Color::kGray;
  }
}

// "412/500", "" if nothing is known yet.
std::string StepsText(const v1::Job& job) {
  if (job.progress().steps() == 0) return "";
  return fmt::format("{}/{}", job.progress().step(), job.progress().steps());
}

// A sweep's parent has steps, those of its children together, but no loss.
std::string LossText(const v1::Job& job) {
  return job.progress().step() > 0 && job.child_ids().empty() ? fmt::format("{:.4f}", job.progress().train_loss()) : "";
}

std::string ValidationText(const v1::Job& job) {
  return job.progress().has_validation_loss() ? fmt::format("{:.4f}", job.progress().validation_loss()) : "";
}

std::string SecondText(const v1::Job& job) {
  return job.progress().has_second_loss() ? fmt::format("{:.4f}", job.progress().second_loss()) : "";
}

// "int1 affine/128"
std::string FormatText(const std::string& format, const std::string& scheme, bool has_block, int block) {
  if (format.empty() || format == "none") return "none";
  std::string text = format;
  if (!scheme.empty()) text += " " + scheme;
  if (has_block) text += fmt::format("/{}", block);
  return text;
}

// "1.25 mJ modelled": the source stands beside each, since those of different ones do not compare.
std::string JoulesText(const v1::FrontierPoint& point) {
  const std::optional<double> joules = JoulesOf(point);
  if (!joules) return "";
  return fmt::format("{} {}", *joules > 0 ? DecimalText(*joules, "J") : "0 J", point.energy_source());
}

std::string OutcomeText(v1::AttemptOutcome outcome) {
  if (outcome == v1::ATTEMPT_OUTCOME_UNSPECIFIED) return "live";
  std::string name = v1::AttemptOutcome_Name(outcome);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

std::string ActivityText(const v1::Job& job) {
  const v1::Progress& progress = job.progress();
  std::string text = PadLeft(StepsText(job), 9);
  if (!LossText(job).empty()) text += "  loss " + LossText(job);
  if (!ValidationText(job).empty()) text += "  val " + ValidationText(job);
  if (!SecondText(job).empty()) text += "  second " + SecondText(job);
  if (job.state() == v1::RUNNING && progress.tokens_per_second() > 0) {
    text += fmt::format("  {} tok/s  ", HumanCount(progress.tokens_per_second()));
    if (progress.has_peak_ratio()) text += fmt::format("{:.0f}% of peak  ", 100 * progress.peak_ratio());
    text += "ETA " + HumanSeconds(progress.eta_seconds());
  }
  if (job.state() == v1::RUNNING && !progress.phase().empty() && progress.phase() != "training") {
    text += "  " + progress.phase();
  }
  return text;
}

}  // namespace

std::string TimeText(int64_t unix_ms) {
  if (unix_ms == 0) return "-";
  const std::time_t seconds = unix_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &parts);
  return text;
}

std::string StateName(v1::JobState state) {
  if (state == v1::JOB_STATE_UNSPECIFIED) return "unknown";
  std::string name = v1::JobState_Name(state);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

std::string StateCell(v1::JobState state, const Style& style) {
  return PadRight(Paint(StateName(state), ColorOf(state), style), kStateWidth);
}

double ProgressFraction(const v1::Job& job) {
  if (job.state() == v1::SUCCEEDED) return 1.0;
  const v1::Progress& progress = job.progress();
  return progress.steps() > 0 ? static_cast<double>(progress.step()) / static_cast<double>(progress.steps()) : 0.0;
}

std::string JobLine(const v1::Job& job, int name_width, const Style& style) {
  std::string line = fmt::format("{}  {}  {}  {}", PadRight(job.id(), 6), PadRight(job.name(), name_width),
                                 StateCell(job.state(), style), ProgressBar(ProgressFraction(job), kBarWidth, style));
  const bool moves = job.state() == v1::RUNNING || job.state() == v1::SUCCEEDED;
  line += moves || job.reason().empty() ? ActivityText(job) : "  " + job.reason();
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string CollectivesText(const v1::Job& job, int64_t now_unix_ms) {
  const v1::Progress& progress = job.progress();
  if (job.attempts().empty()) return "";
  const v1::Attempt& attempt = job.attempts(job.attempts_size() - 1);
  const auto steps = static_cast<double>(progress.step() - attempt.resumed_from_step());
  if (steps <= 0) return "";
  std::string sent;
  double seconds = 0;
  for (const v1::CollectiveCount& count : progress.collectives()) {
    seconds += count.seconds();
    if (count.bytes() == 0) continue;
    const std::string bytes = HumanBytes(static_cast<double>(count.bytes()) / steps);
    sent += fmt::format("{}{} {}", sent.empty() ? "" : ", ", PrintableLine(count.operation()), bytes);
  }
  if (sent.empty()) return "";
  const int64_t end_ms = attempt.end_unix_ms() > 0 ? attempt.end_unix_ms() : now_unix_ms;
  const double elapsed = static_cast<double>(end_ms - attempt.start_unix_ms()) / 1e3;
  const double share = elapsed > 0 ? std::min(seconds / elapsed, 1.0) : 0;
  return fmt::format("a step sends {}; {:.0f}% of the attempt's time in its collectives", sent, 100 * share);
}

std::string RemedyText(const v1::Job& job) {
  const bool is_well = job.state() == v1::RUNNING || job.state() == v1::SUCCEEDED || job.state() == v1::CANCELLED;
  return is_well || job.attempts().empty() ? "" : std::string(Remedy(job.attempts().rbegin()->exit_reason()));
}

std::string SweepSummary(const std::vector<v1::Job>& children) {
  std::map<v1::JobState, int> counts;
  int done = 0;
  for (const v1::Job& child : children) {
    ++counts[child.state()];
    if (IsTerminal(child.state())) ++done;
  }
  std::string text = fmt::format("{}/{} jobs done", done, children.size());
  for (const v1::JobState state : {v1::FAILED, v1::CANCELLED, v1::RUNNING, v1::PAUSED, v1::QUEUED}) {
    if (counts[state] > 0) text += fmt::format(", {} {}", counts[state], StateName(state));
  }
  return text;
}

std::string JobTable(const std::vector<v1::Job>& jobs, int64_t now_unix_ms, const Style& style) {
  Table table({{"ID"},
               {"NAME"},
               {"STATE"},
               {"STEP", true},
               {"LOSS", true},
               {"VAL", true},
               {"TOK/S", true},
               {"ETA", true},
               {"AGE", true},
               {"REASON", false, true}});
  for (const v1::Job& job : jobs) {
    const bool running = job.state() == v1::RUNNING && job.progress().tokens_per_second() > 0;
    const std::string steps = job.child_ids().empty() ? StepsText(job) : fmt::format("{} jobs", job.child_ids_size());
    const bool obvious = job.child_ids().empty() && (job.state() == v1::RUNNING || job.state() == v1::SUCCEEDED);
    table.AddRow({job.id(), job.name(), StateCell(job.state(), style), steps, LossText(job), ValidationText(job),
                  running ? HumanCount(job.progress().tokens_per_second()) : "",
                  running ? HumanSeconds(job.progress().eta_seconds()) : "",
                  HumanAge(now_unix_ms - job.submit_unix_ms()), obvious ? "" : job.reason()});
  }
  return table.ToString(style);
}

std::string JobDetails(const v1::Job& job, int64_t now_unix_ms) {
  std::string out;
  const auto line = [&out](const std::string& title, const std::string& value) {
    if (!value.empty()) out += fmt::format("{:<12}{}\n", title, value);
  };
  line("id", job.id());
  line("name", job.name());
  line("state", StateName(job.state()) + (job.cancel_requested() && !IsTerminal(job.state()) ? " (cancelling)" : ""));
  line("reason", job.reason());
  line("parent", job.parent_id());
  if (!job.child_ids().empty()) line("children", fmt::format("{}", fmt::join(job.child_ids(), " ")));
  line("queue", job.queue());
  line("priority", fmt::format("{}", job.priority()));
  std::string labels;
  for (const auto& [key, value] : std::map<std::string, std::string>(job.labels().begin(), job.labels().end())) {
    labels += (labels.empty() ? "" : ",") + key + "=" + value;
  }
  line("labels", labels);
  line("submitted",
       fmt::format("{} ({} ago)", TimeText(job.submit_unix_ms()), HumanAge(now_unix_ms - job.submit_unix_ms())));
  if (job.start_unix_ms() > 0) line("started", TimeText(job.start_unix_ms()));
  if (job.end_unix_ms() > 0) line("ended", TimeText(job.end_unix_ms()));
  line("steps", StepsText(job));
  line("loss", LossText(job));
  line("val loss", ValidationText(job));
  line("second loss", SecondText(job));
  if (job.progress().has_distill_divergence()) {
    line("divergence", fmt::format("{:.4f}", job.progress().distill_divergence()));
  }
  if (job.progress().has_device_memory_bytes())
    line("GPU memory", HumanBytes(job.progress().device_memory_bytes()) + " at most, of rank 0");
  line("collectives", CollectivesText(job, now_unix_ms));
  if (job.has_last_checkpoint()) {
    const v1::Checkpoint& checkpoint = job.last_checkpoint();
    line("checkpoint", fmt::format("step {}, {}, {}", checkpoint.step(),
                                   HumanBytes(static_cast<double>(checkpoint.bytes())), checkpoint.path()));
  }
  line("point", job.point_id());
  for (const v1::Attempt& attempt : job.attempts()) {
    std::string text = fmt::format("{}, group {}, {} ranks, from step {}, {}", attempt.epoch(), attempt.group_id(),
                                   attempt.ranks(), attempt.resumed_from_step(), OutcomeText(attempt.outcome()));
    if (const std::string reason = ExitReasonName(attempt.exit_reason()); !reason.empty()) text += " (" + reason + ")";
    if (!attempt.detail().empty()) text += ": " + attempt.detail();
    line("attempt", text);
  }
  line("remedy", RemedyText(job));
  if (job.restarts() > 0) {
    line("restarts", fmt::format("{} of {}", job.restarts(), job.recipe().recovery().max_restarts()));
  }
  return out;
}

std::string PointTable(const std::vector<v1::FrontierPoint>& points, const Style& style) {
  const auto some = [&](auto has) { return std::any_of(points.begin(), points.end(), has); };
  const bool has_embedding =
      some([](const auto& p) { return !p.embedding_format().empty() && p.embedding_format() != "none"; });
  const bool has_second = some([](const auto& p) { return p.has_second_loss(); });
  const bool has_joules = some([](const auto& p) { return JoulesOf(p).has_value(); });
  const bool has_speed = some([](const auto& p) { return p.has_decode_tokens_per_second(); });
  std::vector<Table::Column> columns = {{"NAME"}, {"ESTIMATOR"}, {"WEIGHTS"}, {"ACTIVATIONS"}};
  if (has_embedding) columns.push_back({"EMBEDDING"});
  columns.push_back({"LOSS", true});
  if (has_second) columns.push_back({"SECOND", true});
  for (const char* title : {"ACC %", "KiB", "BPE", "ENERGY"}) columns.push_back({title, true});
  if (has_joules) columns.push_back({"J/TOKEN", true});
  if (has_speed) columns.push_back({"TOK/S", true});
  columns.push_back({"PARETO"});
  Table table(columns);
  const auto number = [](bool has, double value, int digits) {
    return has ? fmt::format("{:.{}f}", value, digits) : "";
  };
  for (const v1::FrontierPoint& p : points) {
    std::vector<std::string> row = {
        p.name().empty() ? p.job_id() : p.name(), p.estimator(),
        FormatText(p.weight_format(), p.weight_scheme(), p.has_weight_block(), p.weight_block()),
        FormatText(p.activation_format(), p.activation_scheme(), p.has_activation_block(), p.activation_block())};
    if (has_embedding) row.push_back(p.embedding_format());
    row.push_back(number(p.has_loss(), p.loss(), 4));
    if (has_second) row.push_back(number(p.has_second_loss(), p.second_loss(), 4));
    row.push_back(number(p.has_accuracy(), p.accuracy() * 100, 2));
    row.push_back(number(p.has_storage_bytes(), p.storage_bytes() / 1024, 1));
    row.push_back(number(p.has_bits_per_element(), p.bits_per_element(), 3));
    row.push_back(p.has_energy_proxy() ? HumanCount(p.energy_proxy()) : "");
    if (has_joules) row.push_back(JoulesText(p));
    if (has_speed) row.push_back(p.has_decode_tokens_per_second() ? HumanCount(p.decode_tokens_per_second()) : "");
    row.push_back(p.pareto() ? "*" : " ");
    table.AddRow(row);
  }
  return table.ToString(style);
}

}  // namespace ridgeline
