// SPDX-License-Identifier: Apache-2.0
// `ridgeline validate`: all problems of a recipe at once, each with its place.
#include <fmt/format.h>

#include "cli/shared/exit_code.h"
#include "cli/shared/recipe_input.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

struct ValidateOptions {
  std::string file;
  std::vector<std::string> set;
};

absl::StatusOr<int> RunValidate(const Session&, const ValidateOptions& options) {
  ASSIGN_OR_RETURN(RecipeReadResult result, ReadRecipeInput(options.file, options.set));
  if (result.problems.empty()) {
    ASSIGN_OR_RETURN(result.problems, ExportProblems(result));
  }
  if (!result.problems.empty()) {
    PrintProblems(result.problems);
    return kExitUsage;
  }
  ASSIGN_OR_RETURN(const std::vector<v1::Recipe> jobs, ExpandSweep(result.recipe));
  PrintOut("{}: ok, {} {}\n", options.file, jobs.size(), jobs.size() == 1 ? "job" : "jobs");
  return kExitOk;
}

}  // namespace

void AddValidateVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<ValidateOptions>();
  CLI::App* verb = AddVerb(app, "validate", "Check a recipe and print every problem with its place",
                           "ridgeline validate -f recipe.yaml --set training.steps=200");
  verb->add_option("-f,--file", options->file, "Recipe; - reads standard input")->required()->type_name("RECIPE");
  verb->add_option("--set", options->set, "Override, key=value; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  SetAction(verb, session, options, RunValidate);
}

}  // namespace ridgeline
