// SPDX-License-Identifier: Apache-2.0
// `ridgeline artifact list|pull JOB`: what finished jobs left in the work folder of their worker group.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/shared/exit_code.h"
#include "cli/shared/table.h"
#include "cli/shared/terminal.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/artifact_files.h"
#include "common/file.h"
#include "common/print.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

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

// Nothing that lies there is replaced.
absl::Status CheckOut(const std::string& out) {
  std::error_code ignored;
  const fs::file_status there = fs::symlink_status(out, ignored);
  if (!fs::exists(there) || (fs::is_directory(there) && fs::is_empty(out, ignored))) return absl::OkStatus();
  return absl::AlreadyExistsError(fmt::format("{} is there already: name another folder, or remove it", out));
}

absl::Status CheckReachable(const std::string& work_dir) {
  std::error_code ignored;
  if (fs::is_directory(work_dir, ignored)) return absl::OkStatus();
  return absl::NotFoundError(
      fmt::format("the work folder {} of the worker group cannot be reached from this machine; run this where it can, "
                  "or mount it and say where with --work-dir",
                  work_dir));
}

class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status CopyBytes(int from, int to, const std::string& name) {
  std::string buffer(size_t{1} << 20, '\0');
  for (;;) {
    const ssize_t count = ::read(from, buffer.data(), buffer.size());
    if (count == 0) break;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, fmt::format("reading {}", name));
    for (ssize_t done = 0; done < count;) {
      const ssize_t written = ::write(to, buffer.data() + done, static_cast<size_t>(count - done));
      if (written < 0 && errno != EINTR) return ErrnoStatus(errno, fmt::format("writing {}", name));
      done += std::max<ssize_t>(written, 0);
    }
  }
  return ::fsync(to) == 0 ? absl::OkStatus() : ErrnoStatus(errno, fmt::format("flushing {}", name));
}

// What lies on the disk at the end is what the worker wrote.
absl::Status PullFile(const std::string& work_dir, const std::string& path, const v1::Artifact::File& file,
                      const fs::path& folder) {
  const fs::path target = folder / file.name();
  RETURN_IF_ERROR(MakeDirectories(target.parent_path().string()));
  ASSIGN_OR_RETURN(const int fd, OpenBelow(work_dir, path + "/" + file.name()));
  const OpenFile from(fd);
  const OpenFile to(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (to.get() < 0) return ErrnoStatus(errno, fmt::format("creating {}", target.string()));
  RETURN_IF_ERROR(CopyBytes(from.get(), to.get(), file.name()));
  ASSIGN_OR_RETURN(const std::string sha256, Sha256HexOfFile(target.string()));
  if (sha256 == file.sha256()) return absl::OkStatus();
  return absl::DataLossError(fmt::format("{}/{}/{} is not what the worker wrote: its SHA-256 is {}, the job's is {}",
                                         work_dir, path, file.name(), sha256, file.sha256()));
}

absl::Status PullFiles(const v1::Artifact& artifact, const std::string& work_dir, const fs::path& folder) {
  RETURN_IF_ERROR(MakeDirectories(folder.string()));
  std::map<std::string, std::string> sha256_of;
  for (const v1::Artifact::File& file : artifact.files()) {
    RETURN_IF_ERROR(PullFile(work_dir, artifact.path(), file, folder));
    sha256_of[file.name()] = file.sha256();
  }
  if (Sha256OfFiles(sha256_of) != artifact.sha256())
    return absl::DataLossError(
        fmt::format("the list of files of artifact '{}' does not match its own hash", artifact.name()));
  return SyncDirectory(folder.string());
}

// The folder appears when all of it is there.
absl::Status Pull(const v1::Artifact& artifact, const std::string& work_dir, const std::string& out) {
  const fs::path partial = fs::absolute(out).lexically_normal().string() + ".partial";
  std::error_code error;
  fs::remove_all(partial, error);
  absl::Status pulled = PullFiles(artifact, work_dir, partial);
  if (pulled.ok()) {
    fs::remove(out, error);  // An empty folder at most.
    fs::rename(partial, out, error);
    if (error) pulled = ErrnoStatus(error.value(), fmt::format("naming {}", out));
  }
  if (!pulled.ok()) fs::remove_all(partial, error);
  return pulled;
}

absl::StatusOr<int> RunPull(const Session& session, const ArtifactOptions& options) {
  RETURN_IF_ERROR(CheckOut(options.out));
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(const v1::Job job, client.GetJob(options.job));
  ASSIGN_OR_RETURN(const v1::Artifact artifact, ChooseArtifact(job, options.name));
  RETURN_IF_ERROR(CheckNames(artifact));
  const std::string work_dir = options.work_dir.empty() ? artifact.work_dir() : options.work_dir;
  RETURN_IF_ERROR(CheckReachable(work_dir));
  RETURN_IF_ERROR(Pull(artifact, work_dir, options.out));
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
