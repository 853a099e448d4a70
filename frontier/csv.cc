// SPDX-License-Identifier: Apache-2.0
// The columns are bound to the message's fields by name, through its descriptor: one code path for all of them.
#include "frontier/csv.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"
#include "frontier/energy.h"
#include "google/protobuf/descriptor.h"

namespace ridgeline {
namespace {

using Field = google::protobuf::FieldDescriptor;

std::vector<const Field*> Columns() {
  std::vector<const Field*> columns;
  std::string_view rest = kFrontierColumns;
  while (!rest.empty()) {
    std::string_view name = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    columns.push_back(v1::FrontierPoint::descriptor()->FindFieldByName(std::string(name)));
  }
  return columns;
}

std::string Quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

std::string ValueOf(const v1::FrontierPoint& point, const Field* field) {
  const auto* reflection = point.GetReflection();
  if (field->has_presence() && !reflection->HasField(point, field)) return "";
  switch (field->cpp_type()) {
    case Field::CPPTYPE_STRING:
      return Quoted(reflection->GetString(point, field));
    case Field::CPPTYPE_BOOL:
      return reflection->GetBool(point, field) ? "true" : "false";
    case Field::CPPTYPE_INT32:
      return fmt::format("{}", reflection->GetInt32(point, field));
    case Field::CPPTYPE_INT64:
      return fmt::format("{}", reflection->GetInt64(point, field));
    default:
      break;
  }
  // The shortest text that reads back to the same double; what is not finite was not measured.
  double value = reflection->GetDouble(point, field);
  return std::isfinite(value) ? fmt::format("{}", value) : "";
}

template <typename Number>
bool ParseNumber(std::string_view text, Number* number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

// False if the text is not what ValueOf writes for the field's type.
bool SetValue(const std::string& text, const Field* field, v1::FrontierPoint* point) {
  const auto* reflection = point->GetReflection();
  if (text.empty()) return field->has_presence() || field->cpp_type() == Field::CPPTYPE_STRING;
  switch (field->cpp_type()) {
    case Field::CPPTYPE_STRING:
      reflection->SetString(point, field, text);
      return Utf8ToCodePoints(text).ok();
    case Field::CPPTYPE_BOOL:
      reflection->SetBool(point, field, text == "true");
      return text == "true" || text == "false";
    case Field::CPPTYPE_INT32: {
      int32_t value = 0;
      bool ok = ParseNumber(text, &value);
      reflection->SetInt32(point, field, value);
      return ok;
    }
    case Field::CPPTYPE_INT64: {
      int64_t value = 0;
      bool ok = ParseNumber(text, &value);
      reflection->SetInt64(point, field, value);
      return ok;
    }
    default: {
      double value = 0;
      bool ok = ParseNumber(text, &value) && std::isfinite(value);
      reflection->SetDouble(point, field, value);
      return ok;
    }
  }
}

// Takes records from RFC 4180 text one at a time, counting lines. Line ends are LF or CRLF.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : rest_(text) {}

  bool AtEnd() const { return rest_.empty(); }
  int line() const { return line_; }

  absl::StatusOr<std::vector<std::string>> Next() {
    std::vector<std::string> fields;
    for (;;) {
      std::string field;
      RETURN_IF_ERROR(rest_.starts_with('"') ? TakeQuoted(&field) : TakePlain(&field));
      fields.push_back(std::move(field));
      if (rest_.starts_with(',')) {
        rest_.remove_prefix(1);
        continue;
      }
      if (rest_.starts_with("\r\n")) rest_.remove_prefix(1);
      if (!rest_.empty() && rest_.front() != '\n') return Wrong("text after a closing quote");
      rest_.remove_prefix(rest_.empty() ? 0 : 1);
      ++line_;
      return fields;
    }
  }

 private:
  absl::Status Wrong(const std::string& what) const {
    return absl::InvalidArgumentError(fmt::format("line {}: {}", line_, what));
  }

  absl::Status TakePlain(std::string* field) {
    size_t size = std::min(rest_.find_first_of(",\n"), rest_.size());
    std::string_view text = rest_.substr(0, size);
    if (text.ends_with('\r') && size < rest_.size() && rest_[size] == '\n') text.remove_suffix(1);
    if (text.find_first_of("\"\r") != std::string_view::npos)
      return Wrong("a quote or carriage return inside a field that is not quoted");
    rest_.remove_prefix(text.size());
    *field = std::string(text);
    return absl::OkStatus();
  }

  absl::Status TakeQuoted(std::string* field) {
    rest_.remove_prefix(1);
    for (;;) {
      size_t size = rest_.find('"');
      if (size == std::string_view::npos) return Wrong("a quoted field does not end");
      field->append(rest_.substr(0, size));
      rest_.remove_prefix(size + 1);
      if (!rest_.starts_with('"')) break;
      field->push_back('"');
      rest_.remove_prefix(1);
    }
    line_ += static_cast<int>(std::count(field->begin(), field->end(), '\n'));
    return absl::OkStatus();
  }

  std::string_view rest_;
  int line_ = 1;  // Of what is read next.
};

// The last column of each version's header, oldest first.
constexpr std::array<std::string_view, 4> kLastColumns = {"pareto", "second_loss", "name", "embedding_format"};

absl::Status CheckHeader(const std::vector<std::string>& header, const std::vector<const Field*>& columns) {
  const bool same = header.size() <= columns.size() &&
                    std::equal(header.begin(), header.end(), columns.begin(),
                               [](const std::string& name, const Field* column) { return name == column->name(); });
  const bool ends_well = std::find(kLastColumns.begin(), kLastColumns.end(), header.back()) != kLastColumns.end();
  if (same && ends_well) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("line 1: not the header of a frontier file; expected {}", kFrontierColumns));
}

bool IsSha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Of columns other than the seed: nothing that is measured or counted is below 0.
bool IsNegative(const v1::FrontierPoint& point, const Field* field) {
  const auto* reflection = point.GetReflection();
  if (field->name() == "seed") return false;
  if (field->cpp_type() == Field::CPPTYPE_INT32) return reflection->GetInt32(point, field) < 0;
  if (field->cpp_type() == Field::CPPTYPE_INT64) return reflection->GetInt64(point, field) < 0;
  return field->cpp_type() == Field::CPPTYPE_DOUBLE && reflection->GetDouble(point, field) < 0;
}

// What a row must hold together, beyond the type of each column.
absl::Status CheckPoint(const v1::FrontierPoint& point, bool has_source_column, int line) {
  const auto wrong = [line](std::string_view column, std::string_view what) {
    return absl::InvalidArgumentError(fmt::format("line {}, column {}: {}", line, column, what));
  };
  if (!point.artifact_sha256().empty() && !IsSha256(point.artifact_sha256()))
    return wrong("artifact_sha256", "not 64 digits of lower-case hexadecimal");
  if (point.has_accuracy() && !(point.accuracy() >= 0 && point.accuracy() <= 1))
    return wrong("accuracy", "not from 0 to 1");
  for (const Field* column : Columns())
    if (IsNegative(point, column)) return wrong(column->name(), "below 0");
  const std::string& source = point.energy_source();
  if (!source.empty() && !IsEnergySource(source))
    return wrong("energy_source", fmt::format("'{}' is not one of {}", source, fmt::join(kEnergySources, ", ")));
  if (!source.empty() && !point.has_energy_joules_per_token())
    return wrong("energy_source", "a source without energy_joules_per_token");
  if (has_source_column && source.empty() && point.has_energy_joules_per_token())
    return wrong("energy_joules_per_token", "joules without energy_source, so nobody knows what they compare with");
  return absl::OkStatus();
}

// Without joules that are compared with nothing, and without a source of none.
v1::FrontierPoint WithSourcedEnergy(const v1::FrontierPoint& point) {
  v1::FrontierPoint sourced = point;
  if (JoulesOf(point)) return sourced;
  sourced.clear_energy_joules_per_token();
  sourced.clear_energy_source();
  return sourced;
}

std::string LineOf(const v1::FrontierPoint& point, const std::vector<const Field*>& columns) {
  const v1::FrontierPoint sourced = WithSourcedEnergy(point);
  std::vector<std::string> values;
  for (const Field* column : columns) values.push_back(ValueOf(sourced, column));
  return fmt::format("{}", fmt::join(values, ","));
}

// Finds a point that is in a file twice. Coordinators count their points each for itself, so that files of several,
// joined, may have an id twice: only what is alike in all that is measured is the same point.
class Repeats {
 public:
  absl::Status Add(v1::FrontierPoint point, int line) {
    if (point.point_id().empty()) return absl::OkStatus();
    point.clear_pareto();  // Depends on the others.
    const auto [first, is_new] = lines_.emplace(LineOf(point, Columns()), line);
    if (is_new) return absl::OkStatus();
    return absl::InvalidArgumentError(fmt::format("line {}: '{}' is the same point as in line {}; keep one of them",
                                                  line, point.point_id(), first->second));
  }

 private:
  std::map<std::string, int> lines_;
};

absl::StatusOr<v1::FrontierPoint> PointOf(const std::vector<std::string>& fields,
                                          const std::vector<const Field*>& columns, int line) {
  if (fields.size() != columns.size()) {
    return absl::InvalidArgumentError(
        fmt::format("line {}: {} fields, expected {}", line, fields.size(), columns.size()));
  }
  v1::FrontierPoint point;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (SetValue(fields[i], columns[i], &point)) continue;
    bool is_text = columns[i]->cpp_type() == Field::CPPTYPE_STRING;
    return absl::InvalidArgumentError(fmt::format("line {}, column {}: {} is not {}", line, columns[i]->name(),
                                                  is_text ? "the text" : fmt::format("'{}'", fields[i]),
                                                  is_text ? "UTF-8" : columns[i]->cpp_type_name()));
  }
  const bool has_source_column = std::any_of(columns.begin(), columns.end(),
                                             [](const Field* column) { return column->name() == "energy_source"; });
  RETURN_IF_ERROR(CheckPoint(point, has_source_column, line));
  return point;
}

}  // namespace

std::string FrontierToCsv(const std::vector<v1::FrontierPoint>& points) {
  const std::vector<const Field*> columns = Columns();
  std::string csv = fmt::format("{}\n", kFrontierColumns);
  for (const v1::FrontierPoint& point : points) csv += LineOf(point, columns) + "\n";
  return csv;
}

absl::StatusOr<std::vector<v1::FrontierPoint>> FrontierFromCsv(std::string_view csv) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // Spreadsheets write it.
  if (csv.starts_with(kByteOrderMark)) csv.remove_prefix(kByteOrderMark.size());
  CsvReader reader(csv);
  ASSIGN_OR_RETURN(std::vector<std::string> header, reader.Next());
  std::vector<const Field*> columns = Columns();
  RETURN_IF_ERROR(CheckHeader(header, columns));
  columns.resize(header.size());
  std::vector<v1::FrontierPoint> points;
  Repeats repeats;
  while (!reader.AtEnd()) {
    int line = reader.line();
    ASSIGN_OR_RETURN(std::vector<std::string> fields, reader.Next());
    ASSIGN_OR_RETURN(v1::FrontierPoint point, PointOf(fields, columns, line));
    RETURN_IF_ERROR(repeats.Add(point, line));
    points.push_back(std::move(point));
  }
  return points;
}

}  // namespace ridgeline
