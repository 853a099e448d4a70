// SPDX-License-Identifier: Apache-2.0
// `ridgeline submit`: validates here, queues there, and follows if asked to.
#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <random>
#include <set>

#include "cli/shared/exit_code.h"
#include "cli/shared/follow.h"
#include "cli/shared/recipe_input.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/number_option.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "plan/network.h"

namespace ridgeline {
namespace {

struct SubmitOptions {
  std::string file;
  std::vector<std::string> set;
  std::string name;
  std::optional<int> priority;
  std::string queue;
  std::string request_id;
  bool dry_run = false;
  bool follow = false;
  OutputFormat format = OutputFormat::kTable;
};

// Without one from the user: so that our own retries queue the job once.
std::string RandomRequestId() {
  std::random_device device;
  return fmt::format("cli-{:08x}{:08x}{:08x}", device(), device(), device());
}

std::vector<std::string> AllOverrides(const SubmitOptions& options) {
  std::vector<std::string> set = options.set;
  if (!options.name.empty()) set.push_back("name=" + options.name);
  if (options.priority.has_value()) set.push_back(fmt::format("priority={}", *options.priority));
  if (!options.queue.empty()) set.push_back("queue=" + options.queue);
  return set;
}

absl::Status PrintDryRun(const v1::Recipe& recipe) {
  ASSIGN_OR_RETURN(const std::vector<v1::Recipe> jobs, ExpandSweep(recipe));
  if (!recipe.has_sweep()) {
    WriteOut(RecipeToYaml(jobs.front()));
    return absl::OkStatus();
  }
  v1::Recipe complete = recipe;
  ApplyRecipeDefaults(&complete);
  PrintOut("{}\n# {} jobs:\n", RecipeToYaml(complete), jobs.size());
  for (const v1::Recipe& job : jobs) PrintOut("#   {}\n", job.name());
  return absl::OkStatus();
}

// Only a warning: the workers may see a folder that is not here.
void WarnAboutDataset(const v1::Recipe& recipe) {
  const std::string& path = recipe.dataset().path();
  std::error_code error;
  if (path.empty() || std::filesystem::exists(std::filesystem::path(path) / "dataset.json", error)) return;
  PrintErr("ridgeline: warning: {} holds no dataset.json here (`ridgeline data prepare --out {}` makes one)\n", path,
           path);
}

// Only a warning: the weights are what was trained.
void WarnAboutInputs(const v1::Recipe& job) {
  if (job.export_().weights() != "gguf" || job.quant().activation().format() == "none") return;
  PrintErr(
      "ridgeline: warning: {}: its point is measured with {} inputs, for which GGUF has no place: llama.cpp rounds "
      "inputs in its own way\n",
      job.name(), job.quant().activation().format());
}

// A model that is here and cannot be trained would fail its job at once.
absl::Status CheckModels(const v1::Recipe& recipe) {
  ASSIGN_OR_RETURN(const std::vector<v1::Recipe> jobs, ExpandSweep(recipe));
  std::set<std::string> paths;
  for (const v1::Recipe& job : jobs) {
    if (!job.model().has_path()) continue;
    if (paths.insert(job.model().path()).second) RETURN_IF_ERROR(CheckModelHere(job.model().path()));
    WarnAboutInputs(job);
  }
  return absl::OkStatus();
}

absl::Status PrintSubmitted(const v1::SubmitJobResponse& response, OutputFormat format) {
  if (format == OutputFormat::kJson || format == OutputFormat::kYaml) {
    ASSIGN_OR_RETURN(const std::string text, FormatMessage(response, format));
    WriteOut(text);
    return absl::OkStatus();
  }
  const v1::Job& job = response.job();
  PrintOut("{}\n", job.id());
  if (format == OutputFormat::kName) return absl::OkStatus();
  std::string what = response.existed() ? "already queued" : "queued";
  if (job.child_ids_size() > 0) {
    what += fmt::format(": a sweep of {} jobs ({} to {})", job.child_ids_size(), job.child_ids(0),
                        *job.child_ids().rbegin());
  }
  PrintErr("ridgeline: {} {} {}; `ridgeline watch {}` follows it\n", job.id(), job.name(), what, job.id());
  return absl::OkStatus();
}

absl::StatusOr<int> RunSubmit(const Session& session, const SubmitOptions& options) {
  ASSIGN_OR_RETURN(RecipeReadResult read, ReadRecipeInput(options.file, AllOverrides(options)));
  if (read.problems.empty()) {
    ASSIGN_OR_RETURN(read.problems, ExportProblems(read));
  }
  if (!read.problems.empty()) {
    PrintProblems(read.problems);
    return kExitUsage;
  }
  RETURN_IF_ERROR(CheckModels(read.recipe));
  if (options.dry_run) {
    RETURN_IF_ERROR(PrintDryRun(read.recipe));
    return kExitOk;
  }
  ASSIGN_OR_RETURN(const Client client, session.Connect({std::chrono::seconds(30), std::chrono::seconds(30)}));
  WarnAboutDataset(read.recipe);
  v1::SubmitJobRequest request;
  *request.mutable_recipe() = read.recipe;
  request.set_request_id(options.request_id.empty() ? RandomRequestId() : options.request_id);
  ASSIGN_OR_RETURN(const v1::SubmitJobResponse response, client.SubmitJob(request));
  RETURN_IF_ERROR(PrintSubmitted(response, options.format));
  RETURN_IF_ERROR(FlushOut());  // Before the wait: a script may read the id.
  return options.follow ? FollowJob(client, response.job().id()) : absl::StatusOr<int>(kExitOk);
}

}  // namespace

void AddSubmitVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<SubmitOptions>();
  CLI::App* verb = AddVerb(app, "submit", "Validate a recipe and queue its job, or the jobs of its sweep",
                           "ridgeline submit -f recipe.yaml --set training.steps=200 --follow");
  verb->add_option("-f,--file", options->file, "Recipe; - reads standard input")->required()->type_name("RECIPE");
  verb->add_option("--set", options->set, "Override, key=value; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  verb->add_option("--name", options->name, "Name of the job")->type_name("NAME");
  verb->add_option("--priority", options->priority, "A higher number is scheduled first")
      ->check(IntegerFrom(-1000, 1000))
      ->type_name("NUMBER");
  verb->add_option("--queue", options->queue, "What it waits in; `ridgeline queue list` shows them")
      ->type_name("QUEUE");
  verb->add_option("--request-id", options->request_id, "Submitting again with the same id queues nothing new")
      ->type_name("ID");
  verb->add_flag("--dry-run", options->dry_run, "Print the final recipe, queue nothing");
  verb->add_flag("--follow", options->follow, "Follow until it ends; Ctrl-C detaches");
  AddOutputOption(verb, &options->format);
  SetAction(verb, session, options, RunSubmit);
}

}  // namespace ridgeline
