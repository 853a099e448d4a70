// SPDX-License-Identifier: Apache-2.0
// `ridgeline checkpoint list|verify|pull|gc JOB`: what jobs can resume from, in the work folder of their worker group.
#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/shared/exit_code.h"
#include "cli/shared/job_text.h"
#include "cli/shared/pull_folder.h"
#include "cli/shared/table.h"
#include "cli/shared/terminal.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/artifact_files.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "worker/checkpoint/store/checkpoint_folders.h"

namespace ridgeline {
namespace {

using OrderedJson = nlohmann::ordered_json;

struct CheckpointOptions {
  std::string job;
  std::optional<int64_t> step;
  std::string to;
  std::string work_dir;
  bool dry_run = false;
  OutputFormat format = OutputFormat::kTable;
};

// A job whose checkpoints are looked at.
struct JobFolder {
  v1::Job job;
  std::string work_dir;
  std::string path;  // Of its checkpoints, from there.

  std::string root() const { return (std::filesystem::path(work_dir) / path).string(); }
};

struct FoundOnDisk {
  const JobFolder* job = nullptr;
  std::string folder;
  absl::Status status;  // Of its manifest; after `verify` also of its files.
  v1::Checkpoint checkpoint;
  CheckpointManifest manifest;

  std::string name() const { return std::filesystem::path(folder).filename().string(); }
};

// Where the group says that it is, where its artifact says so; else that of the local stack.
absl::StatusOr<std::string> WorkFolderOf(const v1::Job& job, const Session& session, const CheckpointOptions& options) {
  if (!options.work_dir.empty()) return options.work_dir;
  if (job.artifacts_size() > 0) return job.artifacts(0).work_dir();
  ASSIGN_OR_RETURN(const StackPaths paths, session.Paths());
  return paths.work_dir;
}

absl::StatusOr<JobFolder> FolderOf(v1::Job job, const Session& session, const CheckpointOptions& options) {
  RETURN_IF_ERROR(CheckPlainName(job.id()));
  ASSIGN_OR_RETURN(std::string work_dir, WorkFolderOf(job, session, options));
  RETURN_IF_ERROR(CheckReachable(work_dir));
  std::string path = CheckpointsOf(job.id());
  return JobFolder{std::move(job), std::move(work_dir), std::move(path)};
}

// The job, or the children of a sweep's parent.
absl::StatusOr<std::vector<JobFolder>> FoldersOf(const Session& session, const CheckpointOptions& options) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(v1::Job job, client.GetJob(options.job));
  std::vector<v1::Job> jobs;
  if (job.child_ids().empty()) {
    jobs.push_back(std::move(job));
  } else {
    v1::ListJobsRequest request;
    request.set_parent_id(job.id());
    ASSIGN_OR_RETURN(jobs, client.ListJobs(request));
  }
  std::vector<JobFolder> folders;
  for (v1::Job& each : jobs) {
    ASSIGN_OR_RETURN(JobFolder folder, FolderOf(std::move(each), session, options));
    folders.push_back(std::move(folder));
  }
  return folders;
}

FoundOnDisk Read(const JobFolder& job, const std::string& folder) {
  FoundOnDisk found{.job = &job, .folder = folder};
  absl::StatusOr<CheckpointManifest> manifest = ReadManifestOf(folder);
  absl::StatusOr<v1::Checkpoint> checkpoint = DescribeCheckpoint(folder);
  found.status = manifest.ok() ? checkpoint.status() : manifest.status();
  if (found.status.ok() && manifest->job_id != job.job.id())
    found.status = absl::FailedPreconditionError(fmt::format("checkpoint {} is of job {}", folder, manifest->job_id));
  if (!found.status.ok()) return found;
  found.manifest = *std::move(manifest);
  found.checkpoint = *std::move(checkpoint);
  found.checkpoint.set_path(fmt::format("{}/{}", job.path, found.name()));
  return found;
}

// While a job runs, its worker group removes old ones.
bool IsGone(const std::string& folder) {
  std::error_code error;
  return !std::filesystem::exists(folder, error);
}

// Newest first; with --step that one alone.
absl::StatusOr<std::vector<FoundOnDisk>> CheckpointsIn(const std::vector<JobFolder>& jobs,
                                                       const CheckpointOptions& options) {
  std::vector<FoundOnDisk> all;
  for (const JobFolder& job : jobs) {
    for (const std::string& folder : CheckpointFolders(job.root())) {
      if (options.step && std::filesystem::path(folder).filename() != fmt::format("step-{:08d}", *options.step))
        continue;
      FoundOnDisk found = Read(job, folder);
      if (found.status.ok() || !IsGone(folder)) all.push_back(std::move(found));
    }
  }
  if (all.empty() && options.step)
    return absl::NotFoundError(
        fmt::format("there is no checkpoint of step {}; `ridgeline checkpoint list {}` shows those that there are",
                    *options.step, options.job));
  return all;
}

absl::StatusOr<OrderedJson> JsonOf(const FoundOnDisk& found) {
  ASSIGN_OR_RETURN(OrderedJson json, MessageToJson(found.checkpoint));
  json["job_id"] = found.job->job.id();
  json["ranks"] = found.manifest.ranks;
  json["files"] = found.manifest.files.size();
  return json;
}

std::vector<std::string> RowOf(const FoundOnDisk& found) {
  const v1::Checkpoint& checkpoint = found.checkpoint;
  return {found.job->job.id(),
          std::to_string(checkpoint.step()),
          std::to_string(found.manifest.files.size()),
          HumanBytes(static_cast<double>(checkpoint.bytes())),
          checkpoint.has_validation_loss() ? fmt::format("{:.4f}", checkpoint.validation_loss()) : "",
          TimeText(checkpoint.time_unix_ms()),
          checkpoint.sha256().substr(0, 12)};
}

void PrintNone() {
  PrintErr("ridgeline: no checkpoints; a recipe's `checkpoint: {{interval: STEPS}}` says how often one is written\n");
}

// Those with a damaged manifest are told beside the list and are not in it: no job resumes from them.
absl::StatusOr<int> RunCheckpointList(const Session& session, const CheckpointOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<JobFolder> jobs, FoldersOf(session, options));
  ASSIGN_OR_RETURN(const std::vector<FoundOnDisk> all, CheckpointsIn(jobs, options));
  Table table(
      {{"JOB"}, {"STEP", true}, {"FILES", true}, {"SIZE", true}, {"LOSS", true}, {"WRITTEN"}, {"SHA-256"}, {"PATH"}});
  OrderedJson list = OrderedJson::array();
  std::string names;
  for (const FoundOnDisk& found : all) {
    if (!found.status.ok()) {
      PrintErr("ridgeline: not listed: {}\n", std::string(found.status.message()));
      continue;
    }
    ASSIGN_OR_RETURN(OrderedJson json, JsonOf(found));
    list.push_back(std::move(json));
    names += fmt::format("{}/{}\n", found.job->job.id(), found.name());
    std::vector<std::string> row = RowOf(found);
    row.push_back(found.folder);
    table.AddRow(std::move(row));
  }
  if (options.format == OutputFormat::kName)
    PrintOut("{}", names);
  else if (options.format != OutputFormat::kTable)
    PrintOut("{}", FormatJson({{"checkpoints", list}}, options.format));
  else if (all.empty())
    PrintNone();
  else if (!list.empty())
    PrintOut("{}", table.ToString(StyleOf(stdout)));
  return kExitOk;
}

absl::StatusOr<int> RunCheckpointVerify(const Session& session, const CheckpointOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<JobFolder> jobs, FoldersOf(session, options));
  ASSIGN_OR_RETURN(std::vector<FoundOnDisk> all, CheckpointsIn(jobs, options));
  if (all.empty())
    return absl::NotFoundError(fmt::format("{} has no checkpoint to verify under {}", options.job, jobs[0].root()));
  Table table({{"JOB"}, {"CHECKPOINT"}, {"FILES", true}, {"SIZE", true}, {"RESULT"}});
  OrderedJson list = OrderedJson::array();
  std::string names;
  bool all_are_whole = true;
  for (FoundOnDisk& found : all) {
    if (found.status.ok()) found.status = VerifyCheckpoint(found.folder, found.manifest);
    if (!found.status.ok() && IsGone(found.folder)) continue;
    const bool whole = found.status.ok();
    all_are_whole &= whole;
    const std::string problem(found.status.message());
    list.push_back(
        {{"job_id", found.job->job.id()}, {"checkpoint", found.name()}, {"whole", whole}, {"problem", problem}});
    if (whole) names += fmt::format("{}/{}\n", found.job->job.id(), found.name());
    table.AddRow({found.job->job.id(), found.name(), std::to_string(found.manifest.files.size()),
                  HumanBytes(static_cast<double>(found.checkpoint.bytes())), whole ? "whole" : problem});
  }
  if (options.format == OutputFormat::kName)
    PrintOut("{}", names);
  else if (options.format != OutputFormat::kTable)
    PrintOut("{}", FormatJson({{"checkpoints", list}}, options.format));
  else
    PrintOut("{}", table.ToString(StyleOf(stdout)));
  return all_are_whole ? kExitOk : kExitError;
}

absl::StatusOr<FoundOnDisk> ChooseCheckpoint(const std::vector<JobFolder>& jobs, const CheckpointOptions& options) {
  if (jobs.size() != 1)
    return absl::InvalidArgumentError(
        fmt::format("{} is a sweep: pull from one of its jobs, which `ridgeline checkpoint list {}` shows", options.job,
                    options.job));
  ASSIGN_OR_RETURN(const std::vector<FoundOnDisk> all, CheckpointsIn(jobs, options));
  for (const FoundOnDisk& found : all) {
    if (found.status.ok() || options.step) return found;
    PrintErr("ridgeline: passed over: {}\n", std::string(found.status.message()));
  }
  return absl::NotFoundError(fmt::format("{} has no checkpoint under {}", options.job, jobs[0].root()));
}

absl::Status PullCheckpoint(const JobFolder& job, const FoundOnDisk& found, const std::string& to) {
  std::vector<PulledFile> files = {{kManifestFile, found.checkpoint.sha256()}};
  for (const CheckpointFile& file : found.manifest.files) files.push_back({file.name, file.sha256});
  RETURN_IF_ERROR(PullFolder(job.work_dir, found.checkpoint.path(), files, to));
  PrintOut("{}: checkpoint of step {} of {}, {} files, {}\n", to, found.checkpoint.step(), job.job.id(), files.size(),
           HumanBytes(static_cast<double>(found.checkpoint.bytes())));
  return absl::OkStatus();
}

absl::StatusOr<int> RunCheckpointPull(const Session& session, const CheckpointOptions& options) {
  RETURN_IF_ERROR(CheckIsFree(options.to));
  ASSIGN_OR_RETURN(const std::vector<JobFolder> jobs, FoldersOf(session, options));
  for (;;) {
    ASSIGN_OR_RETURN(const FoundOnDisk found, ChooseCheckpoint(jobs, options));
    RETURN_IF_ERROR(found.status);
    const absl::Status pulled = PullCheckpoint(jobs[0], found, options.to);
    if (absl::IsNotFound(pulled) && IsGone(found.folder) && !options.step) continue;  // There is a newer one.
    RETURN_IF_ERROR(pulled);
    return kExitOk;
  }
}

bool IsLive(const v1::Job& job) {
  return !job.attempts().empty() && job.attempts(job.attempts_size() - 1).end_unix_ms() == 0;
}

// Writes of this epoch and later ones may be going on.
int64_t LiveEpochOf(const v1::Job& job) {
  if (job.attempts().empty()) return 1;
  const int64_t last = job.attempts(job.attempts_size() - 1).epoch();
  return IsLive(job) ? last : last + 1;
}

absl::StatusOr<int> RunCheckpointGc(const Session& session, const CheckpointOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<JobFolder> jobs, FoldersOf(session, options));
  Table table({{"JOB"}, {options.dry_run ? "WOULD BE REMOVED" : "REMOVED"}, {"WHY"}});
  OrderedJson list = OrderedJson::array();
  std::string names;
  for (const JobFolder& job : jobs) {
    const v1::CheckpointPolicy& policy = job.job.recipe().checkpoint();
    const std::vector<RemovableCheckpoint> removable =
        RemovableCheckpoints(job.root(), {.latest = policy.keep_latest(), .best = policy.keep_best()},
                             LiveEpochOf(job.job), IsLive(job.job));
    if (!options.dry_run) RETURN_IF_ERROR(RemoveCheckpoints(removable));
    for (const RemovableCheckpoint& checkpoint : removable) {
      const std::string name = std::filesystem::path(checkpoint.folder).filename().string();
      list.push_back({{"job_id", job.job.id()}, {"checkpoint", name}, {"why", checkpoint.why}});
      names += fmt::format("{}/{}\n", job.job.id(), name);
      table.AddRow({job.job.id(), name, checkpoint.why});
    }
  }
  if (options.format == OutputFormat::kName)
    PrintOut("{}", names);
  else if (options.format != OutputFormat::kTable)
    PrintOut("{}", FormatJson({{options.dry_run ? "would_be_removed" : "removed", list}}, options.format));
  else if (list.empty())
    PrintErr("ridgeline: nothing to remove\n");
  else
    PrintOut("{}", table.ToString(StyleOf(stdout)));
  return kExitOk;
}

// A verb of `checkpoint` with what all of them take.
CLI::App* AddCheckpointSubverb(CLI::App* parent, const std::string& name, const std::string& help,
                               const std::string& example, CheckpointOptions* options) {
  CLI::App* verb = AddVerb(parent, name, help, example);
  verb->add_option("job", options->job, "Id or name")->required()->type_name("JOB");
  verb->add_option(
          "--work-dir", options->work_dir,
          "Where the worker group's work folder is on this machine (default: where an artifact of the job says, "
          "else that of the local stack)")
      ->type_name("DIR");
  return verb;
}

void AddStepOption(CLI::App* verb, const char* help, CheckpointOptions* options) {
  verb->add_option("--step", options->step, help)
      ->type_name("N")
      ->check(CLI::Range(int64_t{0}, std::numeric_limits<int64_t>::max()));
}

}  // namespace

void AddCheckpointVerb(CLI::App* app, Session* session) {
  CLI::App* checkpoint = AddVerb(app, "checkpoint", "What jobs can resume from: listed, verified, copied",
                                 "ridgeline checkpoint list job-1");
  checkpoint->require_subcommand(1);

  auto list_options = std::make_shared<CheckpointOptions>();
  CLI::App* list =
      AddCheckpointSubverb(checkpoint, "list", "Show a job's checkpoints, newest first; a sweep's parent: its jobs'",
                           "ridgeline checkpoint list job-1", list_options.get());
  AddOutputOption(list, &list_options->format);
  SetAction(list, session, list_options, RunCheckpointList);

  auto verify_options = std::make_shared<CheckpointOptions>();
  CLI::App* verify = AddCheckpointSubverb(checkpoint, "verify", "Hold every file to its size and hash",
                                          "ridgeline checkpoint verify job-1", verify_options.get());
  AddStepOption(verify, "That one alone", verify_options.get());
  AddOutputOption(verify, &verify_options->format);
  SetAction(verify, session, verify_options, RunCheckpointVerify);

  auto pull_options = std::make_shared<CheckpointOptions>();
  CLI::App* pull = AddCheckpointSubverb(checkpoint, "pull", "Copy a checkpoint to a folder and verify its hashes",
                                        "ridgeline checkpoint pull job-1 --to out/checkpoint", pull_options.get());
  AddStepOption(pull, "Which one (default: the newest)", pull_options.get());
  pull->add_option("--to", pull_options->to, "Folder that it becomes")->required()->type_name("DIR");
  SetAction(pull, session, pull_options, RunCheckpointPull);

  auto gc_options = std::make_shared<CheckpointOptions>();
  CLI::App* gc = AddCheckpointSubverb(
      checkpoint, "gc", "Remove what unfinished writes left, and what the recipe's checkpoint policy does not keep",
      "ridgeline checkpoint gc job-1 --dry-run", gc_options.get());
  gc->add_flag("--dry-run", gc_options->dry_run, "Only say what would be removed");
  AddOutputOption(gc, &gc_options->format);
  SetAction(gc, session, gc_options, RunCheckpointGc);
}

}  // namespace ridgeline
