// SPDX-License-Identifier: Apache-2.0
// `ridgeline data prepare`: text to a dataset folder of token shards.
#include "cli/verbs/data.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "cli/shared/exit_code.h"
#include "cli/shared/terminal.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/number_option.h"
#include "common/print.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "data/dataset.h"

namespace ridgeline {
namespace {

struct PrepareVerbOptions {
  PrepareOptions prepare;
  OutputFormat format = OutputFormat::kTable;
};

// A bar on a terminal, nothing elsewhere: preparing takes seconds.
class PrepareProgress {
 public:
  PrepareProgress() : style_(StyleOf(stderr)) {
    if (IsTty(stderr)) block_.emplace(stderr);
  }
  ~PrepareProgress() {
    if (block_.has_value()) block_->Clear();
  }
  void operator()(double fraction, const std::string& what) {
    if (!block_.has_value()) return;
    const std::string line = fmt::format("{} {:3.0f}%  {}", ProgressBar(fraction, 32, style_), fraction * 100, what);
    block_->Draw({FitWidth(line, style_.width - 1)});
  }

 private:
  Style style_;
  std::optional<LiveBlock> block_;
};

absl::StatusOr<DatasetInfo> Prepare(const PrepareOptions& options) {
  PrepareProgress progress;
  PrepareOptions with_progress = options;
  with_progress.progress = std::ref(progress);
  return PrepareDataset(with_progress);
}

void PrintInfo(const DatasetInfo& info, const PrepareVerbOptions& options) {
  const std::string& dir = options.prepare.out_dir;
  if (options.format == OutputFormat::kName) {
    PrintOut("{}\n", dir);
    return;
  }
  if (options.format == OutputFormat::kTable) {
    PrintOut("{}: dataset '{}', {} tokenizer, {} tokens in the vocabulary, {} training and {} validation tokens{}\n",
             dir, info.name, info.tokenizer_kind, info.vocab_size, info.train_tokens, info.validation_tokens,
             info.documents == 0 ? "" : fmt::format(", {} documents of {} files", info.documents, info.sources.size()));
    return;
  }
  const nlohmann::ordered_json json = {{"path", dir},
                                       {"name", info.name},
                                       {"tokenizer_kind", info.tokenizer_kind},
                                       {"vocab_size", info.vocab_size},
                                       {"train_tokens", info.train_tokens},
                                       {"validation_tokens", info.validation_tokens},
                                       {"train_fraction", info.train_fraction},
                                       {"documents", info.documents},
                                       {"skipped_lines", info.skipped},
                                       {"text_sha256", info.text_sha256},
                                       {"train_sha256", info.train_sha256},
                                       {"validation_sha256", info.validation_sha256}};
  WriteOut(FormatJson(json, options.format));
}

absl::StatusOr<int> RunPrepare(const Session&, const PrepareVerbOptions& options) {
  ASSIGN_OR_RETURN(const DatasetInfo info, Prepare(options.prepare));
  if (info.dropped_byte_order_mark) PrintErr("ridgeline: the text begins with a byte order mark, which is left out\n");
  if (info.skipped > 0)
    PrintErr("ridgeline: {} line{} held no document and {} left out; the first: {}\n", info.skipped,
             info.skipped == 1 ? "" : "s", info.skipped == 1 ? "is" : "are", Printable(info.first_skipped));
  PrintInfo(info, options);
  return kExitOk;
}

}  // namespace

void AddDataVerb(CLI::App* app, Session* session) {
  const std::string example = "ridgeline data prepare --text corpus.txt --out out/corpus";
  CLI::App* data = AddVerb(app, "data", "Datasets", example);
  data->require_subcommand(1);
  auto options = std::make_shared<PrepareVerbOptions>();
  PrepareOptions* prepare = &options->prepare;
  CLI::App* verb = AddVerb(data, "prepare", "Turn text into a folder of token shards", example);
  verb->add_option("--text", prepare->texts,
                   "UTF-8 text or JSON lines (.jsonl), also as .gz, .zst or .xz; a folder, a pattern, - for standard "
                   "input; repeatable")
      ->required()
      ->type_name("FILE|DIR|PATTERN");
  verb->add_option("--field", prepare->documents.field, "Of JSON lines: what holds the text (default text)")
      ->type_name("NAME");
  verb->add_flag("--jsonl", prepare->documents.json_lines, "All is JSON lines, whatever it is called");
  verb->add_flag("--skip-invalid", prepare->documents.skip_invalid,
                 "Leave out lines that hold no document, and count them");
  verb->add_option("--out", prepare->out_dir, "Folder to write; replaced when the new dataset is complete")
      ->required()
      ->type_name("DIR");
  verb->add_option("--name", prepare->name, "Name in frontier points (default: the text file's name)")
      ->type_name("NAME");
  verb->add_option("--tokenizer", prepare->tokenizer,
                   "char (default), or a model's: tokenizer.model, a GGUF file, tokenizer.json, a folder with one, or "
                   "an imported model's name")
      ->type_name("char|FILE|DIR");
  verb->add_option("--train-fraction", prepare->train_fraction,
                   "The first part trains, the rest validates (default 0.9)")
      ->check(NumberFrom(0, 1))
      ->type_name("FRACTION");
  verb->add_option("--threads", prepare->threads, "That tokenize (default: all cores); the result is the same")
      ->check(IntegerFrom(1, 4096))
      ->type_name("NUMBER");
  AddOutputOption(verb, &options->format);
  SetAction(verb, session, options, RunPrepare);
  AddDataLookVerbs(data, session);
}

}  // namespace ridgeline
