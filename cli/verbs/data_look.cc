// SPDX-License-Identifier: Apache-2.0
// `ridgeline data inspect` and `verify`: what a prepared folder holds, and whether it is as it was written.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/shared/exit_code.h"
#include "cli/shared/terminal.h"
#include "cli/shared/verb.h"
#include "cli/verbs/data.h"
#include "common/number_option.h"
#include "common/print.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "data/dataset.h"

namespace ridgeline {
namespace {

struct LookOptions {
  std::string folder;
  int64_t sample_tokens = 64;
  OutputFormat format = OutputFormat::kTable;
};

// How much of a vocabulary a text uses.
int64_t DistinctTokens(const Dataset& dataset) {
  std::vector<bool> seen(static_cast<size_t>(dataset.info().vocab_size));
  for (const uint32_t id : dataset.train()) seen[id] = true;
  for (const uint32_t id : dataset.validation()) seen[id] = true;
  return std::count(seen.begin(), seen.end(), true);
}

absl::StatusOr<std::string> Sample(const Dataset& dataset, int64_t tokens) {
  const auto count = std::min(static_cast<size_t>(tokens), dataset.train().size());
  const auto begin = dataset.train().begin();
  return dataset.tokenizer().Decode({begin, begin + static_cast<std::ptrdiff_t>(count)});
}

nlohmann::ordered_json ToJson(const LookOptions& options, const Dataset& dataset, const std::string& sample) {
  const DatasetInfo& info = dataset.info();
  nlohmann::ordered_json sources = nlohmann::ordered_json::array();
  for (const DatasetSource& source : info.sources)
    sources.push_back(
        {{"path", source.path}, {"bytes", source.bytes}, {"sha256", source.sha256}, {"documents", source.documents}});
  return {{"path", options.folder},
          {"name", info.name},
          {"tokenizer_kind", info.tokenizer_kind},
          {"tokenizer_sha256", info.tokenizer_sha256},
          {"vocab_size", info.vocab_size},
          {"distinct_tokens", DistinctTokens(dataset)},
          {"train_tokens", info.train_tokens},
          {"validation_tokens", info.validation_tokens},
          {"documents", info.documents},
          {"skipped_lines", info.skipped},
          {"sources", sources},
          {"sample", sample}};
}

void PrintTable(const Dataset& dataset, const std::string& sample) {
  const DatasetInfo& info = dataset.info();
  PrintOut("name        {}\n", info.name);
  PrintOut("tokenizer   {}, {} tokens, {} of them in use\n", info.tokenizer_kind, info.vocab_size,
           DistinctTokens(dataset));
  PrintOut("training    {} tokens\n", info.train_tokens);
  PrintOut("validation  {} tokens\n", info.validation_tokens);
  if (info.documents > 0) {
    const int64_t tokens = info.train_tokens + info.validation_tokens;
    PrintOut("documents   {}, {} tokens each on average, marks included\n", info.documents, tokens / info.documents);
  }
  if (info.skipped > 0)
    PrintOut("left out    {} line{} that held no document\n", info.skipped, info.skipped == 1 ? "" : "s");
  for (const DatasetSource& source : info.sources)
    PrintOut("source      {}  {}, {} document{}\n", Printable(source.path),
             HumanBytes(static_cast<double>(source.bytes)), source.documents, source.documents == 1 ? "" : "s");
  PrintOut("begins      {}\n", PrintableLine(sample));
}

absl::StatusOr<int> RunInspect(const Session&, const LookOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> dataset, Dataset::Open(options.folder));
  ASSIGN_OR_RETURN(const std::string sample, Sample(*dataset, options.sample_tokens));
  if (options.format == OutputFormat::kName) {
    PrintOut("{}\n", dataset->info().name);
  } else if (options.format == OutputFormat::kTable) {
    PrintTable(*dataset, sample);
  } else {
    WriteOut(FormatJson(ToJson(options, *dataset, sample), options.format));
  }
  return kExitOk;
}

absl::StatusOr<int> RunVerify(const Session&, const LookOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> dataset, Dataset::Open(options.folder, /*verify_hashes=*/true));
  PrintOut("{}: sound, {} training and {} validation tokens\n", options.folder, dataset->info().train_tokens,
           dataset->info().validation_tokens);
  return kExitOk;
}

}  // namespace

void AddDataLookVerbs(CLI::App* data, Session* session) {
  auto options = std::make_shared<LookOptions>();
  CLI::App* inspect = AddVerb(data, "inspect", "What a prepared folder holds", "ridgeline data inspect out/corpus");
  inspect->add_option("dataset", options->folder, "Folder that data prepare wrote")->required()->type_name("DIR");
  inspect->add_option("--sample", options->sample_tokens, "Tokens of text to show (default 64)")
      ->check(IntegerFrom(0, 1'000'000))
      ->type_name("NUMBER");
  AddOutputOption(inspect, &options->format);
  SetAction(inspect, session, options, RunInspect);

  auto verified = std::make_shared<LookOptions>();
  CLI::App* verify = AddVerb(data, "verify", "Hold all token files against their hashes; names the damaged one",
                             "ridgeline data verify out/corpus");
  verify->add_option("dataset", verified->folder, "Folder that data prepare wrote")->required()->type_name("DIR");
  SetAction(verify, session, verified, RunVerify);
}

}  // namespace ridgeline
