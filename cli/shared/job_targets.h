// SPDX-License-Identifier: Apache-2.0
// What verbs that act on jobs share: a list of jobs or a selector, one call for each, and the answer's format.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/shared/verb.h"

namespace ridgeline {

struct JobTargets {
  std::vector<std::string> jobs;       // Ids or names.
  std::vector<std::string> selectors;  // Labels, as typed.
  OutputFormat format = OutputFormat::kTable;
};

// JOB..., -l and -o.
void AddJobTargets(CLI::App* verb, JobTargets* targets);

// Calls for each job that is named, and for each in one of `states` that has the labels; a sweep's children only where
// their parent is not meant, too. One that fails does not stop the others: the exit code is that of the first failure.
// Prints a line for each ("job-3 paused"), its id, or all answers together. NOT_FOUND if no job has the labels;
// INVALID_ARGUMENT if neither jobs nor labels are given.
absl::StatusOr<int> CallForEachJob(const Client& client, const JobTargets& targets,
                                   const std::vector<v1::JobState>& states,
                                   const std::function<absl::StatusOr<v1::Job>(const std::string&)>& call);

}  // namespace ridgeline
