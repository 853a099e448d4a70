// SPDX-License-Identifier: Apache-2.0
// The program `ridgeline-inference`, which `ridgeline generate`, `eval` and `export` become.
#include <c10/util/Exception.h>

#include <iostream>
#include <new>

#include "common/exit_code.h"
#include "common/file.h"
#include "common/print.h"
#include "fmt/format.h"
#include "inference/verbs.h"

namespace ridgeline {

namespace {

struct Typed {
  GenerateOptions generate;
  EvalOptions eval;
  ExportOptions export_;
  std::string ignored;  // Of the coordinator; `ridgeline` takes them with every verb.
};

void Declare(CLI::App* app, Typed* typed) {
  app->description("Runs models. `ridgeline generate`, `ridgeline eval` and `ridgeline export` are this program.");
  app->set_version_flag("--version", RIDGELINE_VERSION);
  for (const char* name : {"--coordinator", "--state"}) app->add_option(name, typed->ignored)->group("");
  app->fallthrough();
  app->require_subcommand(1);
  DeclareGenerate(app->add_subcommand("generate", "Continue a text with a model"), &typed->generate);
  DeclareEval(app->add_subcommand("eval", "Score a text with a model: loss, perplexity, accuracy"), &typed->eval);
  DeclareExport(app->add_subcommand("export", "Write a model in another format"), &typed->export_);
}

absl::StatusOr<int> RunVerb(const CLI::App& app, const Typed& typed) {
  if (app.got_subcommand("generate")) return RunGenerate(typed.generate);
  if (app.got_subcommand("eval")) return RunEval(typed.eval);
  return RunExport(typed.export_);
}

absl::Status OutOfMemory(const std::string& what) {
  return absl::ResourceExhaustedError(
      fmt::format("out of memory; a shorter text or --dtype bfloat16 takes less: {}", what));
}

// LibTorch throws; its exceptions end here.
absl::StatusOr<int> RunCaught(const CLI::App& app, const Typed& typed) {
  try {
    return RunVerb(app, typed);
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    if (what.find("not enough memory") != std::string::npos) return OutOfMemory(what);
    return absl::InternalError(fmt::format("LibTorch: {}", what));
  } catch (const std::bad_alloc& error) {
    return OutOfMemory(error.what());
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

// Of --help and --version.
int PrintAnswer(const CLI::App& app, const CLI::ParseError& error) {
  std::ostringstream answer;
  const int exit_code = app.exit(error, answer, answer);
  WriteOut(answer.str());
  return exit_code;
}

int Main(int argc, char** argv) {
  Typed typed;
  CLI::App app("", "ridgeline-inference");
  Declare(&app, &typed);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return PrintAnswer(app, error);
    PrintErr("ridgeline-inference: {} (see `ridgeline-inference --help`)\n", error.what());
    return kExitUsage;
  }
  const absl::StatusOr<int> result = RunCaught(app, typed);
  if (result.ok()) return *result;
  PrintErr("ridgeline: {}\n", std::string(result.status().message()));
  return ExitCodeOf(result.status());
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  ridgeline::OpenStandardStreams();
  return ridgeline::FinishOutput(ridgeline::Main(argc, argv));
}
