// SPDX-License-Identifier: Apache-2.0
// `ridgeline queue list` and `ridgeline queue set`.
#include <fmt/format.h>

#include <optional>

#include "cli/shared/exit_code.h"
#include "cli/shared/queue_text.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/number_option.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

constexpr double kMaxWeight = 1e6;
constexpr int kMaxRanks = 1'000'000;
constexpr double kMaxRankHours = 1e12;
constexpr double kMaxPeriodHours = 87'600;  // Ten years.

struct QueueListOptions {
  OutputFormat format = OutputFormat::kTable;
};

struct QueueSetOptions {
  std::string name;
  std::optional<double> weight;
  std::optional<int> max_ranks;
  std::optional<double> max_rank_hours;
  std::optional<double> period_hours;
  OutputFormat format = OutputFormat::kTable;
};

absl::Status Print(const v1::ListQueuesResponse& queues, OutputFormat format) {
  if (format == OutputFormat::kName) {
    for (const v1::Queue& queue : queues.queues()) PrintOut("{}\n", queue.name());
  } else if (format == OutputFormat::kTable) {
    WriteOut(QueueTable(queues, StyleOf(stdout)));
  } else {
    ASSIGN_OR_RETURN(const std::string text, FormatMessage(queues, format));
    WriteOut(text);
  }
  return absl::OkStatus();
}

absl::StatusOr<int> RunQueueList(const Session& session, const QueueListOptions& options) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(const v1::ListQueuesResponse queues, client.ListQueues());
  RETURN_IF_ERROR(Print(queues, options.format));
  return kExitOk;
}

absl::StatusOr<int> RunQueueSet(const Session& session, const QueueSetOptions& options) {
  v1::SetQueueRequest request;
  request.set_name(options.name);
  if (options.weight) request.set_weight(*options.weight);
  if (options.max_ranks) request.set_max_ranks(*options.max_ranks);
  if (options.max_rank_hours) request.set_max_rank_hours(*options.max_rank_hours);
  if (options.period_hours) request.set_period_hours(*options.period_hours);
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  v1::ListQueuesResponse queues;
  ASSIGN_OR_RETURN(*queues.add_queues(), client.SetQueue(request));
  RETURN_IF_ERROR(Print(queues, options.format));
  return kExitOk;
}

void AddSetVerb(CLI::App* queue, Session* session) {
  auto options = std::make_shared<QueueSetOptions>();
  CLI::App* set = AddVerb(queue, "set", "Make a queue, or change one: what is left out stays",
                          "ridgeline queue set large --weight 3 --max-ranks 64");
  set->add_option("name", options->name, "Letters, digits and _ . -")->required()->type_name("NAME");
  set->add_option("--weight", options->weight, "Share of the ranks beside other queues; a new queue has 1")
      ->check(NumberFrom(1e-6, kMaxWeight))
      ->type_name("NUMBER");
  set->add_option("--max-ranks", options->max_ranks, "Ranks that its jobs may use at one time; 0: no limit")
      ->check(IntegerFrom(0, kMaxRanks))
      ->type_name("NUMBER");
  set->add_option("--max-rank-hours", options->max_rank_hours,
                  "Ranks times hours within the last period, after which no job of it starts; 0: no limit")
      ->check(NumberFrom(0, kMaxRankHours))
      ->type_name("NUMBER");
  set->add_option("--period-hours", options->period_hours, "The period that rank-hours are counted over; 0: 24")
      ->check(NumberFrom(0, kMaxPeriodHours))
      ->type_name("NUMBER");
  AddOutputOption(set, &options->format);
  SetAction(set, session, options, RunQueueSet);
}

}  // namespace

void AddQueueVerb(CLI::App* app, Session* session) {
  CLI::App* queue = AddVerb(app, "queue", "What jobs wait in", "ridgeline queue list");
  queue->require_subcommand(1);
  auto options = std::make_shared<QueueListOptions>();
  CLI::App* list =
      AddVerb(queue, "list", "Weights, limits, what waits and what is used", "ridgeline queue list -o json");
  AddOutputOption(list, &options->format);
  SetAction(list, session, options, RunQueueList);
  AddSetVerb(queue, session);
}

}  // namespace ridgeline
