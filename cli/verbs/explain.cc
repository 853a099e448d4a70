// SPDX-License-Identifier: Apache-2.0
// `ridgeline explain [KEY]`: what the schema says about a recipe key.
#include "recipes/explain.h"

#include <fmt/format.h>

#include "cli/shared/exit_code.h"
#include "cli/shared/terminal.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

struct ExplainOptions {
  std::string key;
};

// "integer, steps, default 500, 1 to 100000000"
std::string Facts(const FieldExplanation& field) {
  std::vector<std::string> facts = {field.type};
  if (!field.unit.empty()) facts.push_back(field.unit);
  if (field.required) facts.push_back("required");
  if (!field.default_value.empty()) facts.push_back("default " + field.default_value);
  if (!field.range.empty()) facts.push_back(field.range);
  if (!field.one_of.empty()) facts.push_back(fmt::format("one of: {}", fmt::join(field.one_of, ", ")));
  return fmt::format("{}", fmt::join(facts, "; "));
}

void PrintField(const FieldExplanation& field, const Style& style) {
  PrintOut("{}  {}\n", Paint(field.key, Color::kBold, style), Paint(Facts(field), Color::kGray, style));
  if (!field.help.empty()) PrintOut("    {}\n", field.help);
}

absl::StatusOr<int> RunExplain(const Session&, const ExplainOptions& options) {
  ASSIGN_OR_RETURN(const FieldExplanation field, ExplainField(options.key));
  const Style style = StyleOf(stdout);
  if (!options.key.empty()) PrintField(field, style);
  if (!options.key.empty() && !field.children.empty()) PrintOut("\n");
  for (const FieldExplanation& child : field.children) PrintField(child, style);
  return kExitOk;
}

}  // namespace

void AddExplainVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* verb = AddVerb(app, "explain", "Say what a recipe key means: type, unit, range, default",
                           "ridgeline explain training.steps");
  verb->add_option("key", options->key, "Dotted recipe key; without it, the sections")->type_name("KEY");
  SetAction(verb, session, options, RunExplain);
}

}  // namespace ridgeline
