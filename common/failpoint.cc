// SPDX-License-Identifier: Apache-2.0
#include "common/failpoint.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <map>
#include <mutex>

#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr int kCrashExitStatus = 86;

struct Armed {
  FailpointAction action = FailpointAction::kFault;
  int64_t visits_left = 1;
};

std::atomic<bool> any_armed = false;
std::mutex mutex;

std::map<std::string, Armed, std::less<>>& Table() {
  static auto* table = new std::map<std::string, Armed, std::less<>>();  // Outlives every thread.
  return *table;
}

bool Visit(std::string_view name) {
  const std::lock_guard lock(mutex);
  const auto found = Table().find(name);
  if (found == Table().end()) return false;
  if (found->second.visits_left > 1) {
    --found->second.visits_left;
    return false;
  }
  if (found->second.action == FailpointAction::kCrash) _exit(kCrashExitStatus);
  return true;
}

}  // namespace

bool Failpoint(std::string_view name) {
  if (!any_armed.load(std::memory_order_relaxed)) return false;
  return Visit(name);
}

void ArmFailpoint(const std::string& name, FailpointAction action, int64_t first) {
  const std::lock_guard lock(mutex);
  Table()[name] = {action, first};
  any_armed = true;
}

void DisarmFailpoints() {
  const std::lock_guard lock(mutex);
  Table().clear();
  any_armed = false;
}

namespace {

absl::Status ArmOne(std::string_view entry) {
  const size_t equals = std::min(entry.find('='), entry.size()), at = std::min(entry.find('@'), entry.size());
  const std::string_view action = equals < at ? entry.substr(equals + 1, at - equals - 1) : "";
  int64_t first = 1;
  bool good = action == "crash" || action == "fault";
  if (good && at < entry.size()) {
    const std::string_view digits = entry.substr(at + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), first);
    good = error == std::errc() && end == digits.data() + digits.size() && first > 0;
  }
  if (!good)
    return absl::InvalidArgumentError(
        fmt::format("failpoint '{}' is none; for instance journal.before_commit=crash@3", entry));
  ArmFailpoint(std::string(entry.substr(0, equals)),
               action == "crash" ? FailpointAction::kCrash : FailpointAction::kFault, first);
  return absl::OkStatus();
}

}  // namespace

absl::Status ArmFailpoints(const std::string& text) {
  std::string_view left = text;
  while (!left.empty()) {
    const size_t comma = std::min(left.find(','), left.size());
    if (const absl::Status status = ArmOne(left.substr(0, comma)); !status.ok()) return status;
    left.remove_prefix(std::min(comma + 1, left.size()));
  }
  return absl::OkStatus();
}

absl::Status ArmFailpointsFromEnvironment() {
  const char* text = std::getenv("RIDGELINE_FAILPOINTS");
  if (text == nullptr) return absl::OkStatus();
  if (std::string_view(text).find("=fault") != std::string_view::npos)
    return absl::InvalidArgumentError("the environment can arm crashes only");
  return ArmFailpoints(text);
}

}  // namespace ridgeline
