// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/queue_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/shared/job_text.h"
#include "cli/shared/table.h"

namespace ridgeline {
namespace {

// "8/64"; the limit is left out where there is none.
std::string OfLimit(const std::string& used, double limit) {
  return limit > 0 ? fmt::format("{}/{:g}", used, limit) : used;
}

std::string StartText(const v1::WaitReason& wait, int64_t now_unix_ms) {
  if (wait.expected_start_unix_ms() == 0) return "nobody can say: not all that goes first has a time limit";
  const double seconds = static_cast<double>(std::max<int64_t>(0, wait.expected_start_unix_ms() - now_unix_ms)) / 1e3;
  return fmt::format("in {}{}", HumanSeconds(seconds),
                     wait.is_expected_by_estimates() ? ", as what runs is estimated" : ", or earlier");
}

}  // namespace

std::string QueueTable(const v1::ListQueuesResponse& queues, const Style& style) {
  Table table({{"QUEUE"},
               {"WEIGHT", true},
               {"SHARE", true},
               {"QUEUED", true},
               {"RUNNING", true},
               {"RANKS", true},
               {"RANK-HOURS", true},
               {"PERIOD", true}});
  for (const v1::Queue& queue : queues.queues()) {
    table.AddRow({queue.name(), fmt::format("{:g}", queue.weight()), fmt::format("{:.0f}%", 100 * queue.fair_share()),
                  fmt::format("{}", queue.queued_jobs()), fmt::format("{}", queue.running_jobs()),
                  OfLimit(fmt::format("{}", queue.running_ranks()), queue.max_ranks()),
                  OfLimit(fmt::format("{:.1f}", queue.used_rank_hours()), queue.max_rank_hours()),
                  fmt::format("{:g} h", queue.period_hours())});
  }
  return table.ToString(style);
}

std::string WhyText(const v1::Job& job, int64_t now_unix_ms) {
  std::string text =
      fmt::format("{} is {}{}\n", job.id(), StateName(job.state()), job.reason().empty() ? "" : ": " + job.reason());
  if (!job.has_wait()) return text;
  const v1::WaitReason& wait = job.wait();
  text += fmt::format("{:<8}{}, priority {}\n", "queue", job.queue().empty() ? "default" : job.queue(), job.priority());
  if (wait.ahead_count() > 0) {
    const int more = wait.ahead_count() - wait.ahead_size();
    text += fmt::format("{:<8}{}{}\n", "ahead", fmt::join(wait.ahead(), " "),
                        more > 0 ? fmt::format(" and {} more", more) : "");
  }
  return text + fmt::format("{:<8}{}\n", "starts", StartText(wait, now_unix_ms));
}

}  // namespace ridgeline
