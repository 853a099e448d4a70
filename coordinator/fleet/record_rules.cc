// SPDX-License-Identifier: Apache-2.0
#include "coordinator/fleet/record_rules.h"

#include <fmt/format.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <vector>

#include "common/printable.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kMaxNameBytes = 253;  // Of a host, and of a Kubernetes pod.
constexpr size_t kMaxIncarnationBytes = 64, kMaxVersionBytes = 64, kMaxPointTextBytes = 4'096;
constexpr int kMaxGroupLabels = 64;
constexpr size_t kSha256Digits = 64;
constexpr double kMaxBitsPerElement = 64;
constexpr double kMaxCount = 1e30;  // Bytes, operations: beyond it is no measurement.

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._-:@/+").find(c) != std::string_view::npos;
}

absl::Status CheckName(const std::string& text, const char* what, size_t max_bytes) {
  const bool good = !text.empty() && text.size() <= max_bytes && std::all_of(text.begin(), text.end(), IsNameCharacter);
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{} '{}' is none: 1 to {} letters, digits and . _ - : @ / +", what,
                                                PrintableLine(text, max_bytes), max_bytes));
}

absl::Status CheckText(const std::string& text, const char* what, size_t max_bytes) {
  if (text.size() <= max_bytes && PrintableLine(text, max_bytes) == text) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{} '{}' has control characters or more than {} bytes", what,
                                                PrintableLine(text, max_bytes), max_bytes));
}

absl::Status CheckRange(int64_t value, const char* what, int64_t min, int64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{} {} is not in {} to {}", what, value, min, max));
}

// Loss and divergence may be rounded to just below zero, and a seed may be any number.
bool MayBeNegative(const FieldDescriptor* field) {
  const std::string& name = field->name();
  return name == "seed" || name.ends_with("loss") || name.ends_with("divergence");
}

double MaxOf(const FieldDescriptor* field) {
  const std::string& name = field->name();
  if (name.ends_with("accuracy") || name == "peak_ratio") return 1;
  if (name == "bits_per_element") return kMaxBitsPerElement;
  return kMaxCount;
}

// Whether the number in the field, if it is one, is one that can have been measured.
bool InRange(const Message& message, const FieldDescriptor* field) {
  const auto* reflection = message.GetReflection();
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
    return MayBeNegative(field) || reflection->GetInt64(message, field) >= 0;
  }
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT32) return reflection->GetInt32(message, field) >= 0;
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_DOUBLE) return true;
  const double value = reflection->GetDouble(message, field);
  return std::isfinite(value) && std::abs(value) <= MaxOf(field) && (value >= 0 || MayBeNegative(field));
}

std::vector<const FieldDescriptor*> SetFields(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return fields;
}

absl::Status CheckDevice(const v1::Device& device) {
  if (device.kind() != "cpu" && device.kind() != "cuda")
    return absl::InvalidArgumentError(
        fmt::format("device '{}' is neither cpu nor cuda", PrintableLine(device.kind(), kMaxNameBytes)));
  RETURN_IF_ERROR(CheckText(device.name(), "the name of a device", kMaxNameBytes));
  RETURN_IF_ERROR(CheckText(device.compute_capability(), "a compute capability", kMaxVersionBytes));
  return CheckRange(device.memory_bytes(), "memory_bytes of a device", 0, kMaxMemoryBytes);
}

}  // namespace

absl::Status CheckHello(const v1::Hello& hello) {
  if (hello.group_id().empty())
    return absl::InvalidArgumentError("Hello has no group_id; start the worker with --group");
  RETURN_IF_ERROR(CheckName(hello.group_id(), "group", kMaxNameBytes));
  RETURN_IF_ERROR(CheckName(hello.incarnation(), "incarnation", kMaxIncarnationBytes));
  // 0: a group that hands in what an earlier start of it has left of a job.
  RETURN_IF_ERROR(CheckRange(hello.ranks(), "the number of ranks", hello.job_id().empty() ? 1 : 0, kMaxGroupRanks));
  RETURN_IF_ERROR(CheckRange(hello.memory_bytes(), "memory_bytes", 0, kMaxMemoryBytes));
  RETURN_IF_ERROR(CheckRange(hello.devices_size(), "the number of devices", 0, hello.ranks()));
  for (const v1::Device& device : hello.devices()) RETURN_IF_ERROR(CheckDevice(device));
  RETURN_IF_ERROR(CheckRange(hello.labels_size(), "the number of labels", 0, kMaxGroupLabels));
  for (const auto& [key, value] : hello.labels()) {
    RETURN_IF_ERROR(CheckName(key, "label", kMaxNameBytes));
    RETURN_IF_ERROR(CheckText(value, "the value of a label", kMaxNameBytes));
  }
  RETURN_IF_ERROR(CheckText(hello.host(), "host", kMaxNameBytes));
  RETURN_IF_ERROR(CheckText(hello.version(), "version", kMaxVersionBytes));
  return CheckText(hello.job_id(), "job", kMaxNameBytes);
}

std::string CheckpointPath(const std::string& job_id, int64_t step) {
  return fmt::format("jobs/{}/checkpoints/step-{:08d}", job_id, step);
}

absl::Status CheckCheckpoint(const v1::Checkpoint& checkpoint, const std::string& job_id, int64_t steps) {
  RETURN_IF_ERROR(CheckRange(checkpoint.step(), "the checkpoint's step", 0, steps));
  RETURN_IF_ERROR(CheckRange(checkpoint.bytes(), "the checkpoint's bytes", 0, kMaxMemoryBytes));
  RETURN_IF_ERROR(CheckRange(checkpoint.time_unix_ms(), "the checkpoint's time", 0, int64_t{1} << 52));
  const std::string place = CheckpointPath(job_id, checkpoint.step());
  if (checkpoint.path() != place) {
    return absl::InvalidArgumentError(fmt::format("the checkpoint's path '{}' is not its place in the work folder, {}",
                                                  PrintableLine(checkpoint.path()), place));
  }
  const bool is_hash = checkpoint.sha256().size() == kSha256Digits &&
                       checkpoint.sha256().find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_hash ? absl::OkStatus() : absl::InvalidArgumentError("the checkpoint's sha256 is not 64 hex digits");
}

absl::Status CheckCollectives(const google::protobuf::RepeatedPtrField<v1::CollectiveCount>& counts) {
  std::set<std::string> seen;
  for (const v1::CollectiveCount& count : counts) {
    const std::string& operation = count.operation();
    if (std::find(kCollectiveOperations.begin(), kCollectiveOperations.end(), operation) == kCollectiveOperations.end())
      return absl::InvalidArgumentError(fmt::format("collective operation '{}' is none: {}",
                                                    PrintableLine(operation, kMaxVersionBytes),
                                                    fmt::join(kCollectiveOperations, ", ")));
    if (!seen.insert(operation).second)
      return absl::InvalidArgumentError(fmt::format("collective operation '{}' is counted twice", operation));
    for (const FieldDescriptor* field : SetFields(count))
      if (!InRange(count, field))
        return absl::InvalidArgumentError(
            fmt::format("the {} of '{}' are none that ranks can have counted", field->name(), operation));
  }
  return absl::OkStatus();
}

absl::Status TidyMetricPoint(int64_t steps, v1::MetricPoint* point) {
  RETURN_IF_ERROR(CheckRange(point->step(), "the metric's step", 0, steps));
  for (const FieldDescriptor* field : SetFields(*point)) {
    if (!InRange(*point, field)) point->GetReflection()->ClearField(point, field);
  }
  if (!CheckCollectives(point->collectives()).ok()) point->clear_collectives();
  point->set_phase(PrintableLine(point->phase(), kMaxVersionBytes));
  return absl::OkStatus();
}

absl::Status TidyLogLine(int ranks, v1::LogLine* line) {
  RETURN_IF_ERROR(CheckRange(line->rank(), "the log line's rank", 0, ranks - 1));
  if (line->level() != "warn" && line->level() != "error") line->set_level("info");
  const std::string text = line->text().substr(0, kMaxLogTextBytes);
  line->set_text(Printable(text));
  line->set_time_unix_ms(std::max<int64_t>(0, line->time_unix_ms()));
  return absl::OkStatus();
}

absl::Status CheckFrontierPoint(const v1::FrontierPoint& point) {
  if (!point.has_loss()) return absl::InvalidArgumentError("the frontier point has no held-out loss");
  for (const FieldDescriptor* field : SetFields(point)) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      const std::string text = point.GetReflection()->GetString(point, field);
      RETURN_IF_ERROR(CheckText(text, field->name().c_str(), kMaxPointTextBytes));
    } else if (!InRange(point, field)) {
      std::string value;
      google::protobuf::TextFormat::PrintFieldValueToString(point, field, -1, &value);
      return absl::InvalidArgumentError(
          fmt::format("the frontier point's {} is {}, which is no measurement", field->name(), value));
    }
  }
  return absl::OkStatus();
}

}  // namespace ridgeline
