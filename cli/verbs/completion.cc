// SPDX-License-Identifier: Apache-2.0
// `ridgeline completion SHELL`: a completion script, made from the verbs and options that the program declares.
#include <fmt/format.h>

#include "cli/shared/exit_code.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/print.h"

namespace ridgeline {
namespace {

struct CompletionOptions {
  std::string shell;
};

struct VerbWords {
  std::string path;  // "frontier export"; empty for the program itself.
  std::vector<std::string> verbs;
  std::vector<std::string> options;
};

void Collect(const CLI::App& app, const std::string& path, std::vector<VerbWords>* out) {
  VerbWords words;
  words.path = path;
  std::vector<const CLI::App*> children;
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!child->get_group().empty()) children.push_back(child);
  }
  for (const CLI::App* child : children) words.verbs.push_back(child->get_name());
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words.options.push_back("--" + name);
  }
  out->push_back(words);
  for (const CLI::App* child : children) {
    Collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), out);
  }
}

std::string Words(const VerbWords& verb) {
  std::vector<std::string> all = verb.verbs;
  all.insert(all.end(), verb.options.begin(), verb.options.end());
  return fmt::format("{}", fmt::join(all, " "));
}

// After an option's name a path may follow, so that files are offered too.
std::string BashScript(const std::vector<VerbWords>& verbs) {
  std::string cases;
  for (const VerbWords& verb : verbs) cases += fmt::format("    \"{}\") words=\"{}\" ;;\n", verb.path, Words(verb));
  return "_ridgeline() {\n"
         "  local current=\"${COMP_WORDS[COMP_CWORD]}\" path=\"\" word words=\"\"\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    [[ $word == -* ]] && break\n"
         "    path=\"${path:+$path }$word\"\n"
         "  done\n"
         "  case \"$path\" in\n" +
         cases +
         "    *) ;;\n  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "}\n"
         "complete -o default -F _ridgeline ridgeline\n";
}

std::string FishScript(const std::vector<VerbWords>& verbs) {
  std::string out;
  for (const VerbWords& verb : verbs) {
    const std::string condition =
        verb.path.empty() ? "__fish_use_subcommand" : fmt::format("__fish_seen_subcommand_from {}", verb.path);
    out += fmt::format("complete -c ridgeline -n '{}' -a '{}'\n", condition, Words(verb));
  }
  return out;
}

absl::StatusOr<int> RunCompletion(const Session& session, const CompletionOptions& options) {
  std::vector<VerbWords> verbs;
  Collect(*session.root, "", &verbs);
  if (options.shell == "fish") {
    WriteOut(FishScript(verbs));
    return kExitOk;
  }
  if (options.shell == "zsh") PrintOut("autoload -U +X bashcompinit && bashcompinit\n");
  WriteOut(BashScript(verbs));
  return kExitOk;
}

}  // namespace

void AddCompletionVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<CompletionOptions>();
  CLI::App* verb =
      AddVerb(app, "completion", "Print a completion script for a shell", "source <(ridgeline completion bash)");
  verb->add_option("shell", options->shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("SHELL");
  SetAction(verb, session, options, RunCompletion);
}

}  // namespace ridgeline
