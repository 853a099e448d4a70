// SPDX-License-Identifier: Apache-2.0
// `ridgeline generate|eval|export`: the options are checked here; ridgeline-inference, which links LibTorch, does the
// work.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "cli/shared/exit_code.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/file.h"
#include "inference/options.h"
#include "stack/process.h"

namespace ridgeline {
namespace {

// Becomes ridgeline-inference, with what was typed. Returns only if that fails.
absl::Status BecomeInference(const Session& session) {
  std::string program = ProgramDir() + "/ridgeline-inference";
  if (access(program.c_str(), X_OK) != 0)
    return absl::NotFoundError(fmt::format("{} is missing; build it: `make build`", program));
  std::vector<std::string> arguments = session.arguments;
  std::vector<char*> argv = {program.data()};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  return ErrnoStatus(errno, fmt::format("starting {}", program));
}

template <typename Options>
absl::StatusOr<int> RunInference(const Session& session, const Options&) {
  return BecomeInference(session);
}

template <typename Options>
void AddInferenceVerb(CLI::App* app, Session* session, const char* name, const char* help, const char* example,
                      void (*declare)(CLI::App*, Options*)) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = AddVerb(app, name, help, example);
  declare(verb, options.get());
  SetAction(verb, session, options, RunInference<Options>);
}

}  // namespace

void AddGenerateVerb(CLI::App* app, Session* session) {
  AddInferenceVerb(app, session, "generate", "Continue a text with a model",
                   "ridgeline generate --model gemma3-270m --prompt 'Once upon a time' --max-new-tokens 40",
                   DeclareGenerate);
}

void AddEvalVerb(CLI::App* app, Session* session) {
  AddInferenceVerb(app, session, "eval", "Score a text with a model: loss, perplexity, accuracy",
                   "ridgeline eval --model gemma3-270m --text book.txt -o json", DeclareEval);
}

void AddExportVerb(CLI::App* app, Session* session) {
  AddInferenceVerb(app, session, "export", "Write a model in another format",
                   "ridgeline export --model gemma3-270m --format safetensors --out out/gemma3-270m", DeclareExport);
}

}  // namespace ridgeline
