// SPDX-License-Identifier: Apache-2.0
// protobuf to JSON by protobuf's own mapping; YAML is written from that JSON.
#include "cli/shared/output.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

using Json = nlohmann::ordered_json;

// Whether YAML reads the bare word back as this string, and not as a number, a boolean or null.
bool IsPlainYamlWord(const std::string& text) {
  if (text.empty() || !std::isalpha(static_cast<unsigned char>(text[0]))) return false;
  const bool simple = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.' || c == '/';
  });
  constexpr std::array<const char*, 10> kReserved = {"true", "false", "null", "yes", "no",
                                                     "on",   "off",   "y",    "n",   "nan"};
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return simple && std::find(kReserved.begin(), kReserved.end(), lower) == kReserved.end();
}

void EmitString(YAML::Emitter* out, const std::string& text) {
  if (IsPlainYamlWord(text)) {
    *out << text;
  } else {
    *out << YAML::DoubleQuoted << text;
  }
}

void EmitYaml(YAML::Emitter* out, const Json& json) {
  if (json.is_object() && !json.empty()) {
    *out << YAML::BeginMap;
    for (const auto& [key, value] : json.items()) {
      *out << YAML::Key;
      EmitString(out, key);
      *out << YAML::Value;
      EmitYaml(out, value);
    }
    *out << YAML::EndMap;
  } else if (json.is_array() && !json.empty()) {
    *out << YAML::BeginSeq;
    for (const Json& value : json) EmitYaml(out, value);
    *out << YAML::EndSeq;
  } else if (json.is_string()) {
    EmitString(out, json.get<std::string>());
  } else if (json.is_object()) {
    *out << YAML::Flow << YAML::BeginMap << YAML::EndMap;
  } else if (json.is_array()) {
    *out << YAML::Flow << YAML::BeginSeq << YAML::EndSeq;
  } else {
    *out << json.dump();
  }
}

}  // namespace

absl::StatusOr<OutputFormat> ParseOutputFormat(const std::string& text) {
  if (text == "table") return OutputFormat::kTable;
  if (text == "json") return OutputFormat::kJson;
  if (text == "yaml") return OutputFormat::kYaml;
  if (text == "name") return OutputFormat::kName;
  return absl::InvalidArgumentError(fmt::format("-o {}: no such format (allowed: table, json, yaml, name)", text));
}

absl::StatusOr<Json> MessageToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!status.ok()) {
    return absl::InternalError(fmt::format("{} as JSON: {}", message.GetTypeName(), status.ToString()));
  }
  return Json::parse(text);
}

std::string FormatJson(const Json& json, OutputFormat format) {
  if (format == OutputFormat::kJson) return json.dump(2) + "\n";
  YAML::Emitter out;
  EmitYaml(&out, json);
  return std::string(out.c_str()) + "\n";
}

absl::StatusOr<std::string> FormatMessage(const google::protobuf::Message& message, OutputFormat format) {
  absl::StatusOr<Json> json = MessageToJson(message);
  if (!json.ok()) return json.status();
  return FormatJson(*json, format);
}

absl::Status MessageList::Add(const google::protobuf::Message& message) {
  ASSIGN_OR_RETURN(const Json json, MessageToJson(message));
  const bool as_json = format_ == OutputFormat::kJson;
  if (is_empty_) {
    WriteOut(as_json ? fmt::format("{{\n  \"{}\": [\n", key_) : key_ + ":\n");
  } else if (as_json) {
    WriteOut(",\n");
  }
  is_empty_ = false;
  const std::string text = as_json ? json.dump(2) : FormatJson(Json::array({json}), format_);
  const char* const indent = as_json ? "    " : "  ";
  std::string indented;
  for (const absl::string_view line : absl::StrSplit(absl::StripSuffix(text, "\n"), '\n')) {
    absl::StrAppend(&indented, indented.empty() ? "" : "\n", indent, line);
  }
  WriteOut(indented + (as_json ? "" : "\n"));
  return absl::OkStatus();
}

void MessageList::End() {
  if (format_ == OutputFormat::kJson) {
    if (is_empty_) PrintOut("{{\n  \"{}\": []\n}}\n", key_);
    if (!is_empty_) WriteOut("\n  ]\n}\n");
  } else if (is_empty_) {
    PrintOut("{}: []\n", key_);
  }
}

}  // namespace ridgeline
