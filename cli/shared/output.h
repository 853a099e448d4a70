// SPDX-License-Identifier: Apache-2.0
// Messages as json or yaml on standard output, for `-o`.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace ridgeline {

enum class OutputFormat { kTable, kJson, kYaml, kName };

// "table", "json", "yaml", "name". INVALID_ARGUMENT for another word.
absl::StatusOr<OutputFormat> ParseOutputFormat(const std::string& text);

// Names as in the schema (snake_case); zero values are there, what is absent is not.
absl::StatusOr<nlohmann::ordered_json> MessageToJson(const google::protobuf::Message& message);

// With a last newline. REQUIRES: kJson or kYaml.
std::string FormatJson(const nlohmann::ordered_json& json, OutputFormat format);

// Both of the above.
absl::StatusOr<std::string> FormatMessage(const google::protobuf::Message& message, OutputFormat format);

// {"KEY": [...]} in JSON or YAML, printed while its messages come.
class MessageList {
 public:
  MessageList(std::string key, OutputFormat format) : key_(std::move(key)), format_(format) {}
  absl::Status Add(const google::protobuf::Message& message);
  void End();

 private:
  const std::string key_;
  const OutputFormat format_;
  bool is_empty_ = true;
};

}  // namespace ridgeline
