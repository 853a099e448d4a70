// SPDX-License-Identifier: Apache-2.0
// `ridgeline artifact list|pull JOB`: what finished jobs left in the work folder of their worker group.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "cli/shared/exit_code.h"
#include "cli/shared/pull_folder.h"
#include "cli/shared/table.h"
#include "cli/shared/terminal.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/artifact_files.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

struct ArtifactOptions {
  std::string job;
  std::string name;
  std::string out;
  std::string work_dir;
  OutputFormat format = OutputFormat::kTable;
};

// The job, or the children of a sweep's parent.
absl::StatusOr<std::vector<v1::Job>> JobsWithArtifacts(const Client& client, const std::string& id_or_name) {
  ASSIGN_OR_RETURN(v1::Job job, client.GetJob(id_or_name));
  if (job.child_ids().empty()) return std::vector<v1::Job>{std::move(job)};
  v1::ListJobsRequest request;
  request.set_parent_id(job.id());
  return client.ListJobs(request);
}

absl::StatusOr<std::string> ArtifactsAs(const std::vector<v1::Job>& jobs, OutputFormat format) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const v1::Job& job : jobs) {
    for (const v1::Artifact& artifact : job.artifacts()) {
      ASSIGN_OR_RETURN(nlohmann::ordered_json json, MessageToJson(artifact));
      json["job_id"] = job.id();
      list.push_back(std::move(json));
    }
  }
  return FormatJson({{"artifacts", list}}, format);
}

void PrintArtifacts(const std::vector<v1::Job>& jobs) {
  Table table({{"JOB"}, {"NAME"}, {"FILES", /*right=*/true}, {"SIZE", /*right=*/true}, {"SHA-256"}, {"PATH"}});
  bool any = false;
  for (const v1::Job& job : jobs) {
    for (const v1::Artifact& artifact : job.artifacts()) {
      any = true;
      table.AddRow({job.id(), artifact.name(), std::to_string(artifact.files_size()),
                    HumanBytes(static_cast<double>(artifact.bytes())), artifact.sha256().substr(0, 12),
                    fmt::format("{}/{}", artifact.work_dir(), artifact.path())});
    }
  }
  if (any) PrintOut("{}", table.ToString(StyleOf(stdout)));
  if (!any) PrintErr("ridgeline: no artifacts; a job leaves its model with `export: {{weights: safetensors}}`\n");
}

absl::StatusOr<int> RunList(const Session& session, const ArtifactOptions& options) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs, JobsWithArtifacts(client, options.job));
  if (options.format == OutputFormat::kTable) {
    PrintArtifacts(jobs);
  } else if (options.format == OutputFormat::kName) {
    for (const v1::Job& job : jobs)
      for (const v1::Artifact& artifact : job.artifacts()) PrintOut("{}/{}\n", job.id(), artifact.name());
  } else {
    ASSIGN_OR_RETURN(const std::string text, ArtifactsAs(jobs, options.format));
    PrintOut("{}", text);
  }
  return kExitOk;
}

absl::StatusOr<v1::Artifact> ChooseArtifact(const v1::Job& job, const std::string& name) {
  if (!job.child_ids().empty())
    return absl::InvalidArgumentError(fmt::format(
        "{} is a sweep: pull from one of its jobs, which `ridgeline artifact list {}` shows", job.id(), job.id()));
  std::vector<std::string> names;
  for (const v1::Artifact& artifact : job.artifacts()) {
    if (artifact.name() == name || (name.empty() && job.artifacts_size() == 1)) return artifact;
    names.push_back(artifact.name());
  }
  if (names.empty())
    return absl::NotFoundError(fmt::format("{} has left no artifact; it is {}, and its recipe has export.weights: {}",
                                           job.id(), v1::JobState_Name(job.state()), job.recipe().export_().weights()));
  return name.empty() ? absl::InvalidArgumentError(
                            fmt::format("{} has several artifacts; name one of: {}", job.id(), fmt::join(names, ", ")))
                      : absl::NotFoundError(
                            fmt::format("{} has no artifact '{}', but: {}", job.id(), name, fmt::join(names, ", ")));
}

// Names come from a worker, by way of the coordinator: whatever leads out of the folders is refused here too.
absl::Status CheckNames(const v1::Artifact& artifact) {
  RETURN_IF_ERROR(CheckPlainName(artifact.name()));
  RETURN_IF_ERROR(CheckRelativePath(artifact.path()));
  for (const v1::Artifact::File& file : artifact.files()) RETURN_IF_ERROR(CheckRelativePath(file.name()));
  return absl::OkStatus();
}

// Whether the list of files is what the worker hashed.
absl::StatusOr<std::vector<PulledFile>> FilesOf(const v1::Artifact& artifact) {
  std::vector<PulledFile> files;
  std::map<std::string, std::string> sha256_of;
  for (const v1::Artifact::File& file : artifact.files()) {
    files.push_back({file.name(), file.sha256()});
    sha256_of[file.name()] = file.sha256();
  }
  if (Sha256OfFiles(sha256_of) != artifact.sha256())
    return absl::DataLossError(
        fmt::format("the list of files of artifact '{}' does not match its own hash", artifact.name()));
  return files;
}

absl::StatusOr<int> RunPull(const Session& session, const ArtifactOptions& options) {
  RETURN_IF_ERROR(CheckIsFree(options.out));
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(const v1::Job job, client.GetJob(options.job));
  ASSIGN_OR_RETURN(const v1::Artifact artifact, ChooseArtifact(job, options.name));
  RETURN_IF_ERROR(CheckNames(artifact));
  const std::string work_dir = options.work_dir.empty() ? artifact.work_dir() : options.work_dir;
  RETURN_IF_ERROR(CheckReachable(work_dir));
  ASSIGN_OR_RETURN(const std::vector<PulledFile> files, FilesOf(artifact));
  RETURN_IF_ERROR(PullFolder(work_dir, artifact.path(), files, options.out));
  PrintOut("{}: artifact '{}' of {}, {} files, {}\n", options.out, artifact.name(), job.id(), artifact.files_size(),
           HumanBytes(static_cast<double>(artifact.bytes())));
  return kExitOk;
}

}  // namespace

void AddArtifactVerb(CLI::App* app, Session* session) {
  CLI::App* artifact =
      AddVerb(app, "artifact", "What finished jobs left: their models", "ridgeline artifact list job-1");
  artifact->require_subcommand(1);

  auto list_options = std::make_shared<ArtifactOptions>();
  CLI::App* list =
      AddVerb(artifact, "list", "Show a job's artifacts; a sweep's parent: its jobs'", "ridgeline artifact list job-1");
  list->add_option("job", list_options->job, "Id or name")->required()->type_name("JOB");
  AddOutputOption(list, &list_options->format);
  SetAction(list, session, list_options, RunList);

  auto pull_options = std::make_shared<ArtifactOptions>();
  CLI::App* pull = AddVerb(artifact, "pull", "Copy an artifact to a folder and verify its hashes",
                           "ridgeline artifact pull job-1 --out out/my-model");
  pull->add_option("job", pull_options->job, "Id or name")->required()->type_name("JOB");
  pull->add_option("name", pull_options->name, "Which one, where the job has several")->type_name("NAME");
  pull->add_option("--out", pull_options->out, "Folder that it becomes")->required()->type_name("DIR");
  pull->add_option("--work-dir", pull_options->work_dir,
                   "Where the worker group's work folder is on this machine (default: where the group has it)")
      ->type_name("DIR");
  SetAction(pull, session, pull_options, RunPull);
}

}  // namespace ridgeline
