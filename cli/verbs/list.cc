// SPDX-License-Identifier: Apache-2.0
// `ridgeline list`: jobs, in order of submission.
#include <fmt/format.h>

#include "cli/shared/exit_code.h"
#include "cli/shared/job_text.h"
#include "cli/shared/parse.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/number_option.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "net/principal.h"

namespace ridgeline {
namespace {

struct ListOptions {
  std::vector<std::string> states;
  std::string parent;
  std::vector<std::string> selectors;
  bool newest_first = false;
  int limit = 0;  // 0: all.
  bool all = false;
  OutputFormat format = OutputFormat::kTable;
};

absl::StatusOr<v1::ListJobsRequest> MakeRequest(const ListOptions& options) {
  v1::ListJobsRequest request;
  ASSIGN_OR_RETURN(const std::vector<v1::JobState> states, ParseJobStates(options.states));
  for (const v1::JobState state : states) request.add_states(state);
  request.set_parent_id(options.parent);
  request.set_newest_first(options.newest_first);
  request.set_page_size(options.limit);
  if (!options.all) request.set_owner(kOwnJobs);
  request.set_omit_recipes(options.format == OutputFormat::kTable || options.format == OutputFormat::kName);
  ASSIGN_OR_RETURN(const auto selector, ParseSelector(options.selectors));
  request.mutable_selector()->insert(selector.begin(), selector.end());
  return request;
}

// Prints jobs as they come. A table waits for all of them, for the widths of its columns.
class JobPrinter {
 public:
  explicit JobPrinter(OutputFormat format) : format_(format), list_("jobs", format) {}

  absl::Status Add(const v1::Job& job) {
    if (format_ == OutputFormat::kTable) {
      table_.push_back(job);
    } else if (format_ == OutputFormat::kName) {
      PrintOut("{}\n", job.id());
    } else {
      return list_.Add(job);
    }
    return absl::OkStatus();
  }
  void End() {
    if (format_ == OutputFormat::kJson || format_ == OutputFormat::kYaml) return list_.End();
    if (format_ != OutputFormat::kTable) return;
    if (table_.empty()) PrintErr("ridgeline: no jobs; `ridgeline submit -f RECIPE` queues one\n");
    if (!table_.empty()) WriteOut(JobTable(table_, SystemClock().WallUnixMs(), StyleOf(stdout)));
  }

 private:
  const OutputFormat format_;
  MessageList list_;
  std::vector<v1::Job> table_;
};

absl::StatusOr<int> RunList(const Session& session, const ListOptions& options) {
  ASSIGN_OR_RETURN(v1::ListJobsRequest request, MakeRequest(options));
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  JobPrinter printer(options.format);
  absl::Status printed;
  int count = 0;
  RETURN_IF_ERROR(client.ListJobs(request, [&](const v1::ListJobsResponse& page) {
    for (const v1::Job& job : page.jobs()) {
      printed = printer.Add(job);
      if (!printed.ok() || ++count == options.limit) return false;
    }
    printed = FlushOut();  // Whoever reads may have enough.
    return printed.ok();
  }));
  RETURN_IF_ERROR(printed);
  printer.End();
  return kExitOk;
}

}  // namespace

void AddListVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* verb = AddVerb(app, "list", "List jobs", "ridgeline list --state running,queued -l study=demo");
  // --state also names the state folder before the verb and in every other verb; a path can only mean that.
  verb->add_option_function<std::vector<std::string>>(
          "--state",
          [session, options](const std::vector<std::string>& values) {
            for (const std::string& value : values) {
              if (value.find('/') != std::string::npos) {
                session->state_dir = value;
              } else {
                options->states.push_back(value);
              }
            }
          },
          "Only jobs in these states; a path names the state folder, as in other verbs")
      ->type_name("STATE,...")
      ->allow_extra_args(false);
  verb->add_option("--parent", options->parent, "Only children of this job")->type_name("JOB");
  verb->add_option("-l,--selector", options->selectors, "Only jobs with these labels; repeatable")
      ->type_name("KEY=VALUE,...")
      ->allow_extra_args(false);
  verb->add_flag("--newest-first", options->newest_first, "The newest first; default: in order of submission");
  verb->add_option("--limit", options->limit, "At most so many")->check(IntegerFrom(1, 1'000'000))->type_name("NUMBER");
  verb->add_flag("--all", options->all, "Jobs of everybody; without it yours, where the coordinator asks for tokens");
  AddOutputOption(verb, &options->format);
  SetAction(verb, session, options, RunList);
}

}  // namespace ridgeline
