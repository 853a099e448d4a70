// SPDX-License-Identifier: Apache-2.0
#include "frontier/report_table.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>

#include "fmt/format.h"
#include "frontier/energy.h"
#include "frontier/html.h"
#include "frontier/point_text.h"

namespace ridgeline {
namespace {

using Point = v1::FrontierPoint;

struct Cell {
  std::string html;   // Empty: not measured.
  std::string order;  // What it sorts by: a number where the column has numbers.
};

struct Column {
  std::string title;
  std::string unit;
  bool is_numeric = false;
  bool is_setting = false;  // Left out where all points are alike.
  bool falls = false;       // Sorted high to low first.
  std::string classes;
  std::vector<Cell> cells;
};

using Number = std::function<std::optional<double>(const Point&)>;

Number If(bool (Point::*has)() const, double (Point::*get)() const) {
  return [has, get](const Point& point) {
    const double value = (point.*get)();
    return (point.*has)() && std::isfinite(value) ? std::optional(value) : std::nullopt;
  };
}

// Powers of 1000 or 1024 with the unit's name, so that the smallest value of a column is at least 1.
struct Scale {
  double factor = 1;
  std::string unit;
};

Scale ScaleOf(double smallest, double base, const std::vector<const char*>& prefixes, int first, const char* unit) {
  const int last = static_cast<int>(prefixes.size()) - 1;
  int power = smallest > 0 ? static_cast<int>(std::floor(std::log(smallest) / std::log(base) + 1e-9)) : 0;
  power = std::clamp(power, first, first + last);
  return {std::pow(base, power), std::string(prefixes[power - first]) + unit};
}

Scale BytesScale(double smallest) { return ScaleOf(smallest, 1024, {"", "Ki", "Mi", "Gi", "Ti"}, 0, "B"); }
Scale DecimalScale(double smallest, const char* unit) {
  return ScaleOf(smallest, 1000, {"p", "n", "µ", "m", "", "k", "M", "G", "T", "P"}, -4, unit);
}

double SmallestOf(const std::vector<ReportRow>& rows, const Number& number) {
  double smallest = INFINITY;
  for (const ReportRow& row : rows) {
    const std::optional<double> value = number(*row.point);
    if (value && *value > 0) smallest = std::min(smallest, *value);
  }
  return std::isfinite(smallest) ? smallest : 1;
}

// Four digits of the smallest.
int DecimalsFor(double smallest) {
  return std::clamp(3 - static_cast<int>(std::floor(std::log10(smallest) + 1e-9)), 0, 4);
}

Column NumberColumn(const std::vector<ReportRow>& rows, const std::string& title, const Scale& scale, int decimals,
                    const Number& number, bool falls = false) {
  Column column{.title = title, .unit = scale.unit, .is_numeric = true, .falls = falls};
  for (const ReportRow& row : rows) {
    const std::optional<double> value = number(*row.point);
    column.cells.push_back(
        value ? Cell{fmt::format("{:.{}f}", *value / scale.factor, decimals), fmt::format("{}", *value)} : Cell{});
  }
  return column;
}

Column ScaledColumn(const std::vector<ReportRow>& rows, const std::string& title, const Scale& scale,
                    const Number& number, bool falls = false) {
  return NumberColumn(rows, title, scale, DecimalsFor(SmallestOf(rows, number) / scale.factor), number, falls);
}

Column TextColumn(const std::vector<ReportRow>& rows, const std::string& title,
                  const std::function<std::string(const Point&)>& text) {
  Column column{.title = title};
  for (const ReportRow& row : rows) column.cells.push_back({Html(text(*row.point)), text(*row.point)});
  return column;
}

Column Setting(Column column) {
  column.is_setting = true;
  return column;
}

// "int1 affine/128"
std::string TensorText(const std::string& format, const std::string& scheme, bool has_block, int block) {
  std::string text = format.empty() ? "none" : format;
  if (!scheme.empty()) text += " " + scheme;
  if (has_block) text += fmt::format("/{}", block);
  return text;
}

std::string Grouped(int64_t number) {
  std::string digits = std::to_string(number), text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-') text += "\u202F";
    text += digits[i];
  }
  return text;
}

Column CountColumn(const std::vector<ReportRow>& rows, const std::string& title, int64_t (Point::*get)() const,
                   bool grouped) {
  Column column{.title = title, .is_numeric = true, .is_setting = true};
  for (const ReportRow& row : rows) {
    const int64_t value = (row.point->*get)();
    column.cells.push_back({grouped ? Grouped(value) : std::to_string(value), std::to_string(value)});
  }
  return column;
}

Column NameColumn(const std::vector<ReportRow>& rows) {
  Column column{.title = "Point", .classes = "name"};
  for (const ReportRow& row : rows) {
    const std::string name = row.point->name().empty() ? PointLabel(*row.point) : row.point->name();
    column.cells.push_back({Html(name), name});
  }
  return column;
}

Column ParetoColumn(const std::vector<ReportRow>& rows) {
  Column column{.title = "Pareto", .falls = true, .classes = "star"};
  for (const ReportRow& row : rows)
    column.cells.push_back({row.point->pareto() ? "★" : "", row.point->pareto() ? "1" : "0"});
  column.is_numeric = true;
  return column;
}

Column BandColumn(const std::vector<ReportRow>& rows, const Scale& scale, int decimals) {
  Column column{.title = "Band", .unit = scale.unit, .is_numeric = true};
  for (const ReportRow& row : rows) {
    const Point& p = *row.point;
    if (!p.has_energy_low_joules_per_token() || !p.has_energy_high_joules_per_token()) {
      column.cells.emplace_back();
      continue;
    }
    column.cells.push_back({fmt::format("{:.{}f} – {:.{}f}", p.energy_low_joules_per_token() / scale.factor, decimals,
                                        p.energy_high_joules_per_token() / scale.factor, decimals),
                            fmt::format("{}", p.energy_low_joules_per_token())});
  }
  return column;
}

// The file's hash, whole on hovering.
Column HashColumn(const std::vector<ReportRow>& rows) {
  Column column{.title = "File's SHA-256", .classes = "hash"};
  for (const ReportRow& row : rows) {
    const std::string& hash = row.point->artifact_sha256();
    column.cells.push_back(hash.empty() ? Cell{}
                                        : Cell{fmt::format("<span title=\"{}\">{}</span>", Html(hash),
                                                           Html(std::string_view(hash).substr(0, 12))),
                                               hash});
  }
  return column;
}

void AddEnergyColumns(const std::vector<ReportRow>& rows, std::vector<Column>* columns) {
  const Number proxy = If(&Point::has_energy_proxy, &Point::energy_proxy);
  columns->push_back(ScaledColumn(rows, "Energy proxy", DecimalScale(SmallestOf(rows, proxy), " bit ops"), proxy));
  const double smallest = SmallestOf(rows, JoulesOf);
  const Scale scale = DecimalScale(smallest, "J/token");
  columns->push_back(NumberColumn(rows, "Energy", scale, DecimalsFor(smallest / scale.factor), JoulesOf));
  columns->push_back(Setting(TextColumn(
      rows, "Energy source", [](const Point& p) { return JoulesOf(p) ? p.energy_source() : std::string(); })));
  columns->push_back(BandColumn(rows, scale, DecimalsFor(smallest / scale.factor)));
  columns->push_back(
      NumberColumn(rows, "Above idle", scale, DecimalsFor(smallest / scale.factor),
                   If(&Point::has_energy_above_idle_joules_per_token, &Point::energy_above_idle_joules_per_token)));
}

void AddSpeedColumns(const std::vector<ReportRow>& rows, std::vector<Column>* columns) {
  const Number decode = If(&Point::has_decode_tokens_per_second, &Point::decode_tokens_per_second);
  const Number prefill = If(&Point::has_prefill_tokens_per_second, &Point::prefill_tokens_per_second);
  columns->push_back(ScaledColumn(rows, "Decode", {1, "tokens/s"}, decode, true));
  columns->push_back(ScaledColumn(rows, "Prefill", {1, "tokens/s"}, prefill, true));
  columns->push_back(Setting(TextColumn(rows, "CPU", &Point::cpu)));
  columns->push_back(Setting(TextColumn(
      rows, "Threads", [](const Point& p) { return p.has_threads() ? std::to_string(p.threads()) : std::string(); })));
  columns->back().is_numeric = true;
}

std::vector<Column> AllColumns(const std::vector<ReportRow>& rows) {
  const Number bytes = If(&Point::has_storage_bytes, &Point::storage_bytes);
  std::vector<Column> columns = {NameColumn(rows), ParetoColumn(rows),
                                 TextColumn(rows, "Estimator", &Point::estimator)};
  columns.push_back(TextColumn(rows, "Weights", [](const Point& p) {
    return TensorText(p.weight_format(), p.weight_scheme(), p.has_weight_block(), p.weight_block());
  }));
  columns.push_back(TextColumn(rows, "Activations", [](const Point& p) {
    return TensorText(p.activation_format(), p.activation_scheme(), p.has_activation_block(), p.activation_block());
  }));
  columns.push_back(Setting(TextColumn(rows, "Embedding", &Point::embedding_format)));
  columns.push_back(Setting(TextColumn(rows, "Sparsity", &Point::sparsity)));
  columns.push_back(Setting(TextColumn(rows, "Hadamard", [](const Point& p) {
    return std::string(!p.has_hadamard() ? "" : p.hadamard() ? "yes" : "no");
  })));
  columns.push_back(NumberColumn(rows, "Accuracy", {0.01, "%"}, 2, If(&Point::has_accuracy, &Point::accuracy), true));
  columns.push_back(NumberColumn(rows, "Loss", {1, "nats/token"}, 4, If(&Point::has_loss, &Point::loss)));
  columns.push_back(
      NumberColumn(rows, "Second loss", {1, "nats/token"}, 4, If(&Point::has_second_loss, &Point::second_loss)));
  columns.push_back(ScaledColumn(rows, "Stored", BytesScale(SmallestOf(rows, bytes)), bytes));
  columns.push_back(NumberColumn(rows, "Weights’ bits", {1, "bits each"}, 3,
                                 If(&Point::has_bits_per_element, &Point::bits_per_element)));
  AddEnergyColumns(rows, &columns);
  AddSpeedColumns(rows, &columns);
  columns.push_back(CountColumn(rows, "Steps", &Point::steps, true));
  columns.push_back(CountColumn(rows, "Training tokens", &Point::tokens, true));
  columns.push_back(CountColumn(rows, "Seed", &Point::seed, false));
  columns.push_back(Setting(TextColumn(rows, "Worker’s version", &Point::version)));
  columns.push_back(TextColumn(rows, "Job", &Point::job_id));
  columns.push_back(HashColumn(rows));
  return columns;
}

bool IsEmpty(const Column& column) {
  return std::all_of(column.cells.begin(), column.cells.end(), [](const Cell& cell) { return cell.html.empty(); });
}

bool IsSameForAll(const Column& column) {
  return column.cells.size() > 1 && std::all_of(column.cells.begin(), column.cells.end(),
                                                [&](const Cell& cell) { return cell.html == column.cells[0].html; });
}

std::string HeadHtml(const Column& column) {
  return fmt::format(
      "<th scope=\"col\" class=\"{}{}\"><button type=\"button\" data-first=\"{}\" "
      "data-kind=\"{}\">{}{}</button></th>\n",
      column.is_numeric ? "num " : "", column.classes, column.falls ? "-1" : "1", column.is_numeric ? "number" : "text",
      Html(column.title), column.unit.empty() ? "" : fmt::format(" <small>{}</small>", Html(column.unit)));
}

std::string CellHtml(const Column& column, const Cell& cell) {
  const bool is_name = column.classes == "name";
  return fmt::format("<{0} class=\"{1}{2}\" data-v=\"{3}\">{4}</{5}>", is_name ? "th scope=\"row\"" : "td",
                     column.is_numeric ? "num " : "", column.classes, Html(cell.order),
                     cell.html.empty() && column.classes != "star" ? "<span class=\"none\">–</span>" : cell.html,
                     is_name ? "th" : "td");
}

std::string RowHtml(const ReportRow& row, const std::vector<Column>& columns, size_t index) {
  std::string html = fmt::format("<tr data-p=\"{}\"{}>", row.id, row.point->pareto() ? " class=\"pareto\"" : "");
  for (const Column& column : columns) html += CellHtml(column, column.cells[index]);
  return html + "</tr>\n";
}

// Point for point the value, muted where it is the usual one of its row.
std::string DifferenceRow(const std::string& key, const std::vector<std::string>& values,
                          const std::vector<const FlatRecipe*>& recipes, size_t known_recipes) {
  std::map<std::string, size_t> counts;
  for (const std::string& value : values) ++counts[value];
  const auto usual =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  std::string html = fmt::format("<tr><th scope=\"row\">{}</th>", Html(key));
  size_t next = 0;
  for (const FlatRecipe* recipe : recipes) {
    if (recipe == nullptr) {
      html += "<td class=\"gone\">gone</td>";
      continue;
    }
    const std::string& value = values[next++];
    const bool is_usual = value == usual->first && 2 * usual->second > known_recipes;
    html += fmt::format("<td{}>{}</td>", is_usual ? " class=\"usual\"" : "",
                        value.empty() ? "<span class=\"none\">–</span>" : Html(value));
  }
  return html + "</tr>\n";
}

}  // namespace

std::string PointsTableHtml(const std::vector<ReportRow>& rows) {
  std::vector<Column> columns = AllColumns(rows);
  std::string same;
  std::erase_if(columns, [&](const Column& column) {
    if (IsEmpty(column)) return true;
    if (!column.is_setting || !IsSameForAll(column)) return false;
    same += fmt::format("<span><b>{}</b> {}</span>\n", Html(column.title), column.cells[0].html);
    return true;
  });
  std::string html = "<div class=\"scroll\"><table class=\"points\">\n<thead><tr>\n";
  for (const Column& column : columns) html += HeadHtml(column);
  html += "</tr></thead>\n<tbody>\n";
  for (size_t i = 0; i < rows.size(); ++i) html += RowHtml(rows[i], columns, i);
  html += "</tbody></table></div>\n";
  if (!same.empty()) html += fmt::format("<p class=\"same\">The same for all points:\n{}</p>\n", same);
  return html;
}

std::string RecipesTableHtml(const std::vector<ReportRow>& rows, const std::vector<const FlatRecipe*>& recipes) {
  std::vector<FlatRecipe> known;
  for (const FlatRecipe* recipe : recipes)
    if (recipe != nullptr) known.push_back(*recipe);
  const auto gone = static_cast<size_t>(std::count(recipes.begin(), recipes.end(), nullptr));
  std::string note;
  if (gone > 0) {
    note = fmt::format(
        "<p class=\"note\">The coordinator no longer has the jobs of {} of the {} points, so their "
        "recipes are not known.</p>\n",
        gone, rows.size());
  }
  const auto differences = RecipeDifferences(known);
  if (differences.empty())
    return note + (known.empty() ? "" : "<p class=\"note\">The recipes differ in nothing but their names.</p>\n");
  std::string html = note + "<div class=\"scroll\"><table class=\"recipes\">\n<thead><tr><th scope=\"col\">Key</th>\n";
  for (const ReportRow& row : rows)
    html += fmt::format("<th scope=\"col\" data-p=\"{}\">{}</th>\n", row.id, Html(PointLabel(*row.point)));
  html += "</tr></thead>\n<tbody>\n";
  for (const auto& [key, values] : differences) html += DifferenceRow(key, values, recipes, known.size());
  return html + "</tbody></table></div>\n";
}

}  // namespace ridgeline
