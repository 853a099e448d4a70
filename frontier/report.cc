// SPDX-License-Identifier: Apache-2.0
#include "frontier/report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "common/sha256.h"
#include "fmt/format.h"
#include "frontier/energy.h"
#include "frontier/html.h"
#include "frontier/hypervolume.h"
#include "frontier/plot_layout.h"
#include "frontier/point_text.h"
#include "frontier/report_page.h"
#include "frontier/report_plot.h"
#include "frontier/report_table.h"

namespace ridgeline {
namespace {

using Point = v1::FrontierPoint;

// The points of one model and dataset.
struct Section {
  std::string model, dataset;
  std::vector<ReportRow> rows;
  ReportStyles styles;
  EnergyMeasure energy;
  std::optional<Hypervolume> volume;  // Where a point has accuracy and bytes.
};

std::vector<Section> SectionsOf(const FrontierReport& report) {
  std::map<std::pair<std::string, std::string>, std::vector<const Point*>> groups;
  for (const Point& point : report.points) groups[{point.model(), point.dataset()}].push_back(&point);
  const std::vector<Hypervolume> volumes = Hypervolumes(report.points, report.reference_bytes);
  std::vector<Section> sections;
  for (const auto& [shape, points] : groups) {
    Section section{.model = shape.first, .dataset = shape.second};
    std::vector<const Point*> comparable;
    for (const Point* point : points) {
      section.rows.push_back({point, fmt::format("{}-{}", sections.size(), section.rows.size())});
      if (point->has_accuracy() && point->has_storage_bytes()) comparable.push_back(point);
    }
    section.styles = ReportStyles::Of(points);
    section.energy = CommonEnergyMeasure(comparable);
    for (const Hypervolume& volume : volumes)
      if (volume.model == section.model && volume.dataset == section.dataset) section.volume = volume;
    sections.push_back(std::move(section));
  }
  return sections;
}

std::string NameOf(const std::string& model, const std::string& dataset) {
  return fmt::format("{} on {}", model.empty() ? "a model without a name" : model,
                     dataset.empty() ? "a dataset without a name" : dataset);
}

std::string Percent(double ratio) { return fmt::format("{:.2f} %", ratio * 100); }

std::string Energy(double value, const EnergyMeasure& measure) {
  return value > 0 ? DecimalText(value, measure.is_joules() ? "J" : "") : "0";
}

// What hovering shows: the name, then what was measured.
std::string TipOf(const Point& point) {
  std::string tip = PointLabel(point);
  const auto line = [&tip](const std::string& text) { tip += "\n" + text; };
  if (point.has_accuracy()) line("accuracy " + Percent(point.accuracy()));
  if (point.has_loss()) line(fmt::format("held-out loss {:.4f} nats/token", point.loss()));
  if (point.has_storage_bytes() && point.storage_bytes() > 0) line("stored " + BinaryText(point.storage_bytes()));
  if (point.has_bits_per_element()) line(fmt::format("{:.4g} bits a quantized weight", point.bits_per_element()));
  if (point.has_energy_proxy() && point.energy_proxy() > 0)
    line("energy proxy " + DecimalText(point.energy_proxy(), "") + " a token");
  if (const auto joules = JoulesOf(point); joules && *joules > 0)
    line(fmt::format("{} a token, {}", DecimalText(*joules, "J"), point.energy_source()));
  if (point.has_decode_tokens_per_second())
    line(fmt::format("decodes {:.4g} tokens/s", point.decode_tokens_per_second()));
  return tip;
}

using Measure = std::function<std::optional<double>(const Point&)>;

std::optional<double> Accuracy(const Point& point) {
  return point.has_accuracy() && std::isfinite(point.accuracy()) ? std::optional(point.accuracy()) : std::nullopt;
}
std::optional<double> Bytes(const Point& point) {
  const bool has = point.has_storage_bytes() && std::isfinite(point.storage_bytes());
  return has ? std::optional(point.storage_bytes()) : std::nullopt;
}
std::optional<double> DecodeSpeed(const Point& point) {
  const bool has = point.has_decode_tokens_per_second() && std::isfinite(point.decode_tokens_per_second());
  return has ? std::optional(point.decode_tokens_per_second()) : std::nullopt;
}

// The points that have both; x goes on a logarithmic axis, so over 0.
std::vector<ReportDot> DotsOf(const Section& section, const Measure& x, const Measure& y) {
  std::vector<ReportDot> dots;
  for (const ReportRow& row : section.rows) {
    const std::optional<double> at_x = x(*row.point), at_y = y(*row.point);
    if (!at_x || !at_y || *at_x <= 0) continue;
    dots.push_back({row.point, row.id, TipOf(*row.point), *at_x, *at_y, std::nullopt});
  }
  return dots;
}

// A model's band, where these are its joules.
void AddBands(const EnergyMeasure& measure, std::vector<ReportDot>* dots) {
  if (!measure.is_joules()) return;
  for (ReportDot& dot : *dots) {
    const Point& p = *dot.point;
    const double low = p.energy_low_joules_per_token(), high = p.energy_high_joules_per_token();
    const bool has = p.has_energy_low_joules_per_token() && p.has_energy_high_joules_per_token();
    if (has && low > 0 && low <= high && std::isfinite(high)) dot.band = {low, high};
  }
}

std::vector<double> XOf(const std::vector<ReportDot>& dots) {
  std::vector<double> values;
  for (const ReportDot& dot : dots) {
    values.push_back(dot.x);
    if (dot.band) values.insert(values.end(), {dot.band->first, dot.band->second});
  }
  return values;
}

std::vector<double> YOf(const std::vector<ReportDot>& dots) {
  std::vector<double> values;
  for (const ReportDot& dot : dots) values.push_back(dot.y);
  return values;
}

std::string PlotPanel(const std::string& title, const std::string& note, const std::string& svg,
                      const std::string& classes = "") {
  return fmt::format(
      "<figure class=\"panel {}\"><div class=\"head\"><h3>{}</h3><p>{}</p></div><div class=\"plot\">\n{}</div>"
      "</figure>\n",
      classes, Html(title), Html(note), svg);
}

std::string ScatterPanel(const std::string& title, const std::string& note, ReportScatter scatter,
                         const Section& section) {
  if (scatter.dots.empty()) return "";
  scatter.name = title;
  return PlotPanel(title, note, ScatterSvg(scatter, section.styles));
}

std::string BytesPanel(const Section& section) {
  ReportScatter scatter{.x_title = "Stored bytes, log scale", .y_title = "Held-out accuracy"};
  scatter.dots = DotsOf(section, Bytes, Accuracy);
  if (scatter.dots.empty()) return "";
  scatter.x = BytesAxis(XOf(scatter.dots));
  scatter.y = PercentAxis(YOf(scatter.dots));
  return ScatterPanel("Accuracy against size", "up and to the left is better", std::move(scatter), section);
}

std::string EnergyPanel(const Section& section) {
  const EnergyMeasure& measure = section.energy;
  ReportScatter scatter{.x_title = measure.AxisTitle() + ", log scale", .y_title = "Held-out accuracy"};
  scatter.dots = DotsOf(
      section, [&](const Point& point) { return measure.Of(point); }, Accuracy);
  if (scatter.dots.empty()) return "";
  AddBands(measure, &scatter.dots);
  scatter.x = DecimalAxis(XOf(scatter.dots), measure.is_joules() ? "J" : "");
  scatter.y = PercentAxis(YOf(scatter.dots));
  const bool has_bands = std::any_of(scatter.dots.begin(), scatter.dots.end(), [](auto& dot) { return dot.band; });
  const std::string note = has_bands ? "bars: the model’s band" : "up and to the left is better";
  return ScatterPanel("Accuracy against energy", note, std::move(scatter), section);
}

// "on AMD EPYC, 2 threads", where it is the same of all.
std::string MachineOf(const std::vector<ReportDot>& dots) {
  std::set<std::pair<std::string, int>> machines;
  for (const ReportDot& dot : dots) machines.insert({dot.point->cpu(), dot.point->threads()});
  if (machines.size() > 1) return "on more than one machine: see the table before comparing";
  const auto& [cpu, threads] = *machines.begin();
  if (cpu.empty()) return "new tokens of one sequence, one after the other";
  return threads > 0 ? fmt::format("on {}, {} {}", cpu, threads, threads == 1 ? "thread" : "threads") : "on " + cpu;
}

std::string SpeedPanel(const Section& section) {
  ReportScatter scatter{.x_title = "Stored bytes, log scale", .y_title = "New tokens per second"};
  scatter.dots = DotsOf(section, Bytes, DecodeSpeed);
  if (scatter.dots.empty()) return "";
  const std::vector<double> speeds = YOf(scatter.dots);
  scatter.x = BytesAxis(XOf(scatter.dots));
  scatter.y = LinearAxis(0, std::max(1e-9, *std::max_element(speeds.begin(), speeds.end())) * 1.12);
  const std::string note = MachineOf(scatter.dots);
  return ScatterPanel("Decoding speed against size", note, std::move(scatter), section);
}

using CurveValue = std::function<std::optional<double>(const v1::MetricPoint&)>;

std::string CurvesPanel(const Section& section, const FrontierReport& report, const std::string& title,
                        const std::string& y_title, const CurveValue& value, bool wide) {
  ReportCurves plot{.name = title, .y_title = y_title, .is_wide = wide};
  for (const ReportRow& row : section.rows) {
    const auto job = report.jobs->find(row.point->job_id());
    if (job == report.jobs->end()) continue;
    ReportCurve curve{row.point, row.id, TipOf(*row.point), {}};
    for (const v1::MetricPoint& point : job->second.curve) {
      if (const auto loss = value(point); loss && std::isfinite(*loss))
        curve.values.emplace_back(static_cast<double>(point.step()), *loss);
    }
    if (!curve.values.empty()) plot.curves.push_back(std::move(curve));
  }
  if (plot.curves.empty()) return "";
  bool is_cut = false;
  const std::string svg = CurvesSvg(plot, section.styles, &is_cut);
  return PlotPanel(title, is_cut ? "the first losses lie above the frame" : "", svg, wide ? "wide" : "");
}

std::optional<double> HeldOut(const v1::MetricPoint& p) {
  return p.has_validation_loss() ? std::optional(p.validation_loss()) : std::nullopt;
}
std::optional<double> Second(const v1::MetricPoint& p) {
  return p.has_second_loss() ? std::optional(p.second_loss()) : std::nullopt;
}

// Two in a row; a last one that is alone has the row.
std::string PlotsHtml(const Section& section, const FrontierReport& report) {
  std::vector<std::string> panels;
  const auto add = [&panels](std::string panel) {
    if (!panel.empty()) panels.push_back(std::move(panel));
  };
  add(BytesPanel(section));
  add(EnergyPanel(section));
  add(SpeedPanel(section));
  if (report.jobs) {
    const std::string y = "Nats per token";
    const std::string second = CurvesPanel(section, report, "Loss on the second kind of text", y, Second, false);
    const bool wide = panels.size() % 2 == 0 && second.empty();
    add(CurvesPanel(section, report, "Held-out loss over training", y, HeldOut, wide));
    add(second);
  }
  if (panels.empty())
    return "<p class=\"note\">No point here has accuracy and stored bytes, so there is nothing to plot.</p>\n";
  return section.styles.Legend() + fmt::format("<div class=\"plots\">\n{}</div>\n", fmt::join(panels, ""));
}

std::string Card(const std::string& what, const std::string& value, const std::string& more) {
  return fmt::format(
      "<div class=\"card\"><p class=\"what\">{}</p><p class=\"value\">{}</p><p class=\"more\">{}</p></div>\n",
      Html(what), Html(value), Html(more));
}

// The Pareto point that is best by this, or null.
template <typename Worse>
const Point* BestOf(const Section& section, const Worse& worse) {
  const Point* best = nullptr;
  for (const ReportRow& row : section.rows) {
    if (!row.point->pareto()) continue;
    if (best == nullptr || worse(*best, *row.point)) best = row.point;
  }
  return best;
}

std::string BestCards(const Section& section) {
  std::string html;
  const auto accuracy = [](const Point& a, const Point& b) { return a.accuracy() < b.accuracy(); };
  const auto bytes = [](const Point& a, const Point& b) { return a.storage_bytes() > b.storage_bytes(); };
  if (const Point* best = BestOf(section, accuracy))
    html += Card("Most accurate", Percent(best->accuracy()), PointLabel(*best));
  if (const Point* best = BestOf(section, bytes); best != nullptr && best->storage_bytes() > 0) {
    html += Card("Smallest on the frontier", BinaryText(best->storage_bytes()),
                 fmt::format("{}, {}", PointLabel(*best), Percent(best->accuracy())));
  }
  const EnergyMeasure& measure = section.energy;
  const auto energy = [&](const Point& a, const Point& b) {
    return measure.Of(a).value_or(INFINITY) > measure.Of(b).value_or(INFINITY);
  };
  const Point* best = BestOf(section, energy);
  if (best == nullptr || !measure.Of(*best)) return html;
  return html + Card("Least energy on the frontier", Energy(*measure.Of(*best), measure),
                     fmt::format("{}, {}", PointLabel(*best),
                                 measure.is_joules() ? "per token, " + measure.Kind() : "bit operations per token"));
}

std::string CardsHtml(const Section& section) {
  const auto pareto =
      std::count_if(section.rows.begin(), section.rows.end(), [](const ReportRow& row) { return row.point->pareto(); });
  std::string html = "<div class=\"cards\">\n" + Card("Points", std::to_string(section.rows.size()),
                                                      fmt::format("{} on the Pareto frontier", pareto));
  if (section.volume) {
    html += Card("Hypervolume", fmt::format("{:.4f}", section.volume->accuracy_octaves),
                 fmt::format("accuracy × octaves below {}", BinaryText(section.volume->reference_bytes)));
  }
  return html + BestCards(section) + "</div>\n";
}

std::string PointsPanel(const Section& section) {
  return fmt::format(
      "<div class=\"panel\"><div class=\"head\"><h3>All points</h3><p>a click on a column sorts, on a point holds "
      "it</p>"
      "<div class=\"tools\" hidden><span class=\"count\" aria-live=\"polite\"></span>"
      "<label><input type=\"checkbox\" class=\"pareto-only\">Pareto points only</label>"
      "<input type=\"search\" class=\"filter\" placeholder=\"Filter points\" aria-label=\"Filter "
      "points\"></div></div>\n"
      "{}</div>\n",
      PointsTableHtml(section.rows));
}

std::string RecipesPanel(const Section& section, const FrontierReport& report) {
  std::string content =
      "<p class=\"note\">Recipes and loss curves are with the coordinator; this report was made of a "
      "file.</p>\n";
  if (report.jobs) {
    std::vector<const FlatRecipe*> recipes;
    for (const ReportRow& row : section.rows) {
      const auto job = report.jobs->find(row.point->job_id());
      recipes.push_back(job == report.jobs->end() ? nullptr : &job->second.recipe);
    }
    content = RecipesTableHtml(section.rows, recipes);
  }
  return fmt::format("<div class=\"panel\"><div class=\"head\"><h3>What the recipes differ in</h3></div>\n{}</div>\n",
                     content);
}

std::string SectionHtml(const Section& section, const FrontierReport& report, size_t number, bool alone) {
  const std::string heading = alone ? "" : fmt::format("<h2>{}</h2>\n", Html(NameOf(section.model, section.dataset)));
  return fmt::format("<section class=\"set\" id=\"set-{}\">\n{}", number, heading) + CardsHtml(section) +
         PlotsHtml(section, report) + PointsPanel(section) + RecipesPanel(section, report) + "</section>\n";
}

std::string TitleOf(const FrontierReport& report, const std::vector<Section>& sections) {
  if (!report.title.empty()) return report.title;
  if (sections.size() == 1) return NameOf(sections[0].model, sections[0].dataset);
  return fmt::format("{} sets of points", sections.size());
}

// "ridgeline 0.1.0", of all workers.
std::string WorkerVersions(const FrontierReport& report) {
  std::set<std::string> versions;
  for (const Point& point : report.points)
    if (!point.version().empty()) versions.insert(point.version());
  return versions.empty() ? "" : fmt::format("measured by workers of {}", fmt::join(versions, ", "));
}

std::string HeaderHtml(const FrontierReport& report, const std::vector<Section>& sections) {
  std::string html = fmt::format(
      "<header class=\"page\">\n<p class=\"eyebrow\">Ridgeline frontier report</p>\n<h1>{}</h1>\n"
      "<p class=\"meta\">",
      Html(TitleOf(report, sections)));
  const bool says_set = sections.size() == 1 && !report.title.empty();
  for (const std::string& part :
       {says_set ? NameOf(sections[0].model, sections[0].dataset) : std::string(), report.date,
        report.source.empty() ? "" : "from " + report.source,
        report.version.empty() ? "" : "ridgeline " + report.version, WorkerVersions(report)}) {
    if (!part.empty()) html += fmt::format("<span>{}</span>", Html(part));
  }
  html += "</p>\n";
  if (sections.size() > 1) {
    html += "<nav>";
    for (size_t i = 0; i < sections.size(); ++i)
      html += fmt::format("<a href=\"#set-{}\">{}</a>\n", i, Html(NameOf(sections[i].model, sections[i].dataset)));
    html += "</nav>\n";
  }
  return html + "</header>\n";
}

constexpr std::string_view kReading = R"html(<div class="panel"><div class="head"><h3>How to read this</h3></div><dl>
<dt>Accuracy, loss</dt><dd>Of the next token on text that training never saw; loss in nats per token.</dd>
<dt>Stored</dt><dd>The model’s file: codes, scales, masks, and what stays in 16 or 32 bits.</dd>
<dt>Pareto</dt><dd>No other point of this model and dataset is at least as good in accuracy, stored bytes and energy and
better in one of them. The stairs in a plot join the points that none beats in that plot’s two measures.</dd>
<dt>Hypervolume</dt><dd>The area under the stairs in (log2 of stored bytes, accuracy), from accuracy 0 and up to the
reference’s bytes. Only values against one and the same reference compare.</dd>
<dt>Energy</dt><dd>Joules are measured (rapl, nvml) or modelled, and compared only where all points have them from one
source; else the proxy stands in: multiply-accumulates × weight bits × activation bits × kept fraction.</dd>
<dt>Speed</dt><dd>Decode: new tokens of one sequence, one after the other. Prefill: tokens of a prompt, at once.</dd>
</dl></div>
)html";

// The policy lets nothing be loaded, and no script run but this page's own.
std::string HeadHtml(const std::string& title) {
  const std::string hash = absl::Base64Escape(absl::HexStringToBytes(Sha256Hex(kReportScript)));
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" "
      "content=\"no-referrer\">\n<title>{} - Ridgeline frontier</title>\n<style>{}</style>\n</head>\n",
      hash, Html(title), kReportStyle);
}

}  // namespace

absl::StatusOr<std::string> FrontierReportHtml(const FrontierReport& report) {
  if (report.points.empty())
    return absl::FailedPreconditionError("there are no points to report on; each job that succeeds leaves one");
  const std::vector<Section> sections = SectionsOf(report);
  std::string html = HeadHtml(TitleOf(report, sections)) + "<body>\n" + HeaderHtml(report, sections) + "<main>\n";
  for (size_t i = 0; i < sections.size(); ++i) html += SectionHtml(sections[i], report, i, sections.size() == 1);
  html += kReading;
  html +=
      "</main>\n<footer>This page is complete: it loads nothing.</footer>\n<div id=\"tip\" role=\"tooltip\"></div>\n";
  return html + fmt::format("<script>{}</script>\n</body>\n</html>\n", kReportScript);
}

}  // namespace ridgeline
