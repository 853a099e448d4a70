// SPDX-License-Identifier: Apache-2.0
// `ridgeline plan`: what a recipe's jobs will need, counted without running them.
#include "plan/plan.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "cli/shared/exit_code.h"
#include "cli/shared/plan_text.h"
#include "cli/shared/recipe_input.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/number_option.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "data/dataset.h"

namespace ridgeline {
namespace {

struct PlanOptions {
  std::string file;
  std::vector<std::string> set;
  std::vector<int64_t> ranks;  // Empty: the recipe's.
  std::string device = "cpu";
  double gflops = 0;
  int64_t vocab_size = 0;
  OutputFormat format = OutputFormat::kTable;
};

// What was typed, else that of the dataset if it is here; 0 if neither says it.
absl::StatusOr<int64_t> VocabSize(const PlanOptions& options, const v1::Recipe& job) {
  if (options.vocab_size > 0) return options.vocab_size;
  const auto dataset = Dataset::Open(job.dataset().path());
  if (absl::IsNotFound(dataset.status())) return 0;
  RETURN_IF_ERROR(dataset.status());
  return (*dataset)->info().vocab_size;
}

absl::StatusOr<PlanReport> PlanJobs(const PlanOptions& options, const v1::Recipe& recipe) {
  PlanReport report;
  ASSIGN_OR_RETURN(report.device, FindDevice(options.device));
  report.device.sustained_flops = options.gflops * 1e9;
  ASSIGN_OR_RETURN(const std::vector<v1::Recipe> jobs, ExpandSweep(recipe));
  for (const v1::Recipe& job : jobs) {
    ASSIGN_OR_RETURN(const int64_t vocab_size, VocabSize(options, job));
    const std::vector<int64_t> ranks =
        options.ranks.empty() ? std::vector<int64_t>{job.resources().ranks()} : options.ranks;
    for (int64_t n : ranks) {
      ASSIGN_OR_RETURN(Plan plan, PlanJob(job, vocab_size, n, report.device));
      report.plans.push_back(std::move(plan));
    }
  }
  return report;
}

void Print(const PlanReport& report, OutputFormat format) {
  if (format == OutputFormat::kTable) {
    WriteOut(PlanReportText(report, StyleOf(stdout)));
  } else if (format == OutputFormat::kName) {
    for (const Plan& plan : report.plans) PrintOut("{}\n", plan.name);
  } else {
    WriteOut(FormatJson(PlanReportJson(report), format));
  }
}

absl::StatusOr<int> RunPlan(const Session&, const PlanOptions& options) {
  ASSIGN_OR_RETURN(RecipeReadResult read, ReadRecipeInput(options.file, options.set));
  if (read.problems.empty()) {
    ASSIGN_OR_RETURN(read.problems, ExportProblems(read));
  }
  if (!read.problems.empty()) {
    PrintProblems(read.problems);
    return kExitUsage;
  }
  ASSIGN_OR_RETURN(const PlanReport report, PlanJobs(options, read.recipe));
  Print(report, options.format);
  return kExitOk;
}

std::set<std::string> DeviceWords() {
  const std::vector<std::string_view> names = DeviceNames();
  return {names.begin(), names.end()};
}

}  // namespace

void AddPlanVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<PlanOptions>();
  CLI::App* verb = AddVerb(app, "plan", "Count what a recipe will need: memory, traffic, step time, size, energy",
                           "ridgeline plan -f recipe.yaml --ranks 1,8,64 --device h100");
  verb->add_option("-f,--file", options->file, "Recipe; - reads standard input")->required()->type_name("RECIPE");
  verb->add_option("--set", options->set, "Override, key=value; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  verb->add_option("--ranks", options->ranks, "Numbers of ranks, a plan for each (default: resources.ranks)")
      ->delimiter(',')
      ->check(IntegerFrom(1, 65536))
      ->allow_extra_args(false)
      ->type_name("N,...");
  verb->add_option("--device", options->device, "What a rank runs on; cpu is this machine")
      ->check(CLI::IsMember(DeviceWords()))
      ->type_name("DEVICE");
  verb->add_option("--gflops", options->gflops, "Rate that a rank keeps up, instead of a share of the device's peak")
      ->check(NumberFrom(1e-6, 1e12))
      ->type_name("NUMBER");
  verb->add_option("--vocab-size", options->vocab_size, "Vocabulary, where the dataset is not here")
      ->check(IntegerFrom(1, int64_t{1} << 30))
      ->type_name("TOKENS");
  AddOutputOption(verb, &options->format);
  SetAction(verb, session, options, RunPlan);
}

}  // namespace ridgeline
