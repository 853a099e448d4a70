// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/command_line.h"

#include <fmt/format.h>

#include <sstream>

#include "cli/shared/exit_code.h"
#include "cli/verbs/verbs.h"
#include "common/print.h"
#include "recipes/suggest.h"

namespace ridgeline {
namespace {

// The app or verb that still wants a verb, and the words that it could be.
const CLI::App* DeepestVerb(const CLI::App* app) {
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return app;
}

// "unknown verb 'lits' (did you mean 'list'?)"; empty if the error is not about a verb.
std::string UnknownVerbMessage(const CLI::App& app) {
  const CLI::App* verb = DeepestVerb(&app);
  if (verb->get_require_subcommand_min() == 0) return "";
  std::string typed;
  for (const std::string& word : app.remaining(true)) {
    if (typed.empty() && !word.starts_with("-")) typed = word;
  }
  if (typed.empty()) return "";
  std::vector<std::string> words;
  for (const CLI::App* candidate : verb->get_subcommands([](const CLI::App*) { return true; })) {
    if (!candidate->get_group().empty()) words.push_back(candidate->get_name());
  }
  const std::vector<std::string> nearest = recipe_internal::Nearest(typed, words);
  if (!nearest.empty()) return fmt::format("unknown verb '{}' (did you mean '{}'?)", typed, nearest.front());
  return fmt::format("unknown verb '{}' (one of: {})", typed, fmt::join(words, ", "));
}

// "ridgeline frontier export"
std::string FullName(const CLI::App* app) {
  return app->get_parent() == nullptr ? app->get_name() : FullName(app->get_parent()) + " " + app->get_name();
}

}  // namespace

void DeclareCommandLine(CLI::App* app, Session* session) {
  app->description("Trains language models of 1 to 4 bits and measures which is best for its storage and energy.");
  app->add_option("--coordinator", session->coordinator, "Address of the coordinator, HOST:PORT")
      ->envname("RIDGELINE_COORDINATOR")
      ->type_name("HOST:PORT");
  CallerCredentials& credentials = session->credentials;
  app->add_option("--tls-ca", credentials.tls_ca, "CA of the coordinator's certificate (PEM); without it, no TLS")
      ->envname("RIDGELINE_TLS_CA")
      ->type_name("FILE");
  app->add_option("--tls-cert", credentials.tls_cert, "Your certificate (PEM), where the coordinator asks for one")
      ->envname("RIDGELINE_TLS_CERT")
      ->type_name("FILE");
  app->add_option("--tls-key", credentials.tls_key, "Its private key (PEM)")
      ->envname("RIDGELINE_TLS_KEY")
      ->type_name("FILE");
  app->add_option("--token-file", credentials.token_file,
                  "File with your token; without it RIDGELINE_TOKEN, if set, is the token")
      ->envname("RIDGELINE_TOKEN_FILE")
      ->type_name("FILE");
  app->add_option("--state", session->state_dir, "Folder of the local stack (default: ~/.local/state/ridgeline)")
      ->envname("RIDGELINE_STATE")
      ->type_name("DIR");
  app->fallthrough();
  app->require_subcommand(1);
  app->footer(
      "\nStart here:\n  ridgeline up && ridgeline doctor\nExit codes: 0 ok, 1 error, 2 usage or bad recipe, "
      "3 not found, 4 not allowed,\n5 unreachable, 6 conflict, 7 quota, 10 job failed, 11 job cancelled, "
      "12 time-out, 130 detached.");
  AddVerbs(app, session);
}

int ReportParseError(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    std::ostringstream help;
    const int exit_code = app.exit(error, help, help);
    WriteOut(help.str());
    return exit_code;
  }
  const std::string unknown_verb = UnknownVerbMessage(app);
  PrintErr("ridgeline: {} (see `{} --help`)\n", unknown_verb.empty() ? error.what() : unknown_verb.c_str(),
           FullName(DeepestVerb(&app)));
  return kExitUsage;
}

}  // namespace ridgeline
