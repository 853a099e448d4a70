// SPDX-License-Identifier: Apache-2.0
// `ridgeline pause`, `resume`, `priority` and `label`: what may be changed of jobs that have not ended. A sweep's
// parent stands for its children.
#include "cli/shared/job_targets.h"
#include "cli/shared/parse.h"
#include "cli/verbs/verbs.h"
#include "common/number_option.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

struct PriorityOptions {
  JobTargets targets;
  int priority = 0;
};

struct LabelOptions {
  JobTargets targets;
  std::vector<std::string> set;
  std::vector<std::string> remove;
};

absl::StatusOr<int> ChangeEach(const Session& session, const JobTargets& targets, v1::ChangeJobRequest request,
                               const std::vector<v1::JobState>& states = {v1::QUEUED, v1::RUNNING, v1::PAUSED}) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  return CallForEachJob(client, targets, states, [&](const std::string& job) {
    request.set_job(job);
    return client.ChangeJob(request);
  });
}

absl::StatusOr<int> RunPause(const Session& session, const JobTargets& targets) {
  v1::ChangeJobRequest request;
  request.set_paused(true);
  return ChangeEach(session, targets, request);
}

absl::StatusOr<int> RunResume(const Session& session, const JobTargets& targets) {
  v1::ChangeJobRequest request;
  request.set_paused(false);
  return ChangeEach(session, targets, request);
}

absl::StatusOr<int> RunPriority(const Session& session, const PriorityOptions& options) {
  v1::ChangeJobRequest request;
  request.set_priority(options.priority);
  return ChangeEach(session, options.targets, request);
}

absl::StatusOr<int> RunLabel(const Session& session, const LabelOptions& options) {
  v1::ChangeJobRequest request;
  ASSIGN_OR_RETURN(const auto labels, ParseSelector(options.set));
  for (const auto& [key, value] : labels) {
    if (value.empty()) return absl::InvalidArgumentError("--set " + key + "= has no value; --remove takes labels away");
    (*request.mutable_labels())[key] = value;
  }
  for (const std::string& key : options.remove) {
    if (labels.count(key) > 0) return absl::InvalidArgumentError("--set and --remove both name '" + key + "'");
    (*request.mutable_labels())[key] = "";
  }
  if (request.labels().empty()) return absl::InvalidArgumentError("say --set KEY=VALUE or --remove KEY");
  return ChangeEach(session, options.targets, request);
}

}  // namespace

void AddPauseVerb(CLI::App* app, Session* session) {
  auto targets = std::make_shared<JobTargets>();
  CLI::App* verb = AddVerb(app, "pause", "Hold jobs back until `resume`; running ones commit a checkpoint first",
                           "ridgeline pause job-3");
  AddJobTargets(verb, targets.get());
  SetAction(verb, session, targets, RunPause);
}

void AddResumeVerb(CLI::App* app, Session* session) {
  auto targets = std::make_shared<JobTargets>();
  CLI::App* verb =
      AddVerb(app, "resume", "Queue paused jobs again, from their checkpoint", "ridgeline resume -l study=demo");
  AddJobTargets(verb, targets.get());
  SetAction(verb, session, targets, RunResume);
}

void AddPriorityVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<PriorityOptions>();
  CLI::App* verb = AddVerb(app, "priority", "Change what goes first in a queue, and may ask others to make room",
                           "ridgeline priority job-3 job-4 -n 10");
  AddJobTargets(verb, &options->targets);
  verb->add_option("-n,--priority", options->priority, "A higher number is scheduled first")
      ->check(IntegerFrom(-1000, 1000))
      ->type_name("NUMBER")
      ->required();
  SetAction(verb, session, options, RunPriority);
}

void AddLabelVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<LabelOptions>();
  CLI::App* verb = AddVerb(app, "label", "Set and remove labels, which jobs are selected by",
                           "ridgeline label job-3 --set study=demo --remove draft");
  AddJobTargets(verb, &options->targets);
  verb->add_option("--set", options->set, "Labels to set; repeatable")
      ->type_name("KEY=VALUE,...")
      ->allow_extra_args(false);
  verb->add_option("--remove", options->remove, "A label to remove; repeatable")
      ->type_name("KEY")
      ->allow_extra_args(false);
  SetAction(verb, session, options, RunLabel);
}

}  // namespace ridgeline
