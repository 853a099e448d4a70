// SPDX-License-Identifier: Apache-2.0
// `export`: a model in another format, with its tokenizer.
#include <algorithm>
#include <cctype>
#include <filesystem>

#include "common/exit_code.h"
#include "common/output_path.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "data/tokenizer_files.h"
#include "fmt/format.h"
#include "inference/loaded_model.h"
#include "inference/status_line.h"
#include "inference/verbs.h"
#include "model/save_model.h"
#include "quant/autograd/torch_pch.h"
#include "weights/model_store.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<Dtype> ParseDtype(const ExportOptions& options) {
  std::string name = options.dtype;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
  for (Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBF16})
    if (name == DtypeName(dtype)) return dtype;
  for (Dtype dtype : {Dtype::kQ8_0, Dtype::kQ4_0, Dtype::kQ4_1, Dtype::kQ5_0, Dtype::kQ5_1})
    if (name == DtypeName(dtype) && options.format == "gguf") return dtype;
  return absl::InvalidArgumentError(
      fmt::format("--dtype {}: {} holds f32, f16, bf16{}", options.dtype, options.format,
                  options.format == "gguf" ? ", q8_0, q4_0, q4_1, q5_0, q5_1" : "; --format gguf holds it"));
}

absl::Status ExportFolder(const ExportOptions& options, const std::string& path, const SaveOptions& saving,
                          const LanguageModel& model) {
  std::map<std::string, std::string> files;
  TextBounds bounds;
  const auto tokenizer = LoadTokenizerOf(options.model, "");
  if (tokenizer.ok()) {
    ASSIGN_OR_RETURN(files, TokenizerFilesOf(path, **tokenizer));
    bounds = {(*tokenizer)->special_tokens().bos_id, (*tokenizer)->special_tokens().eos_id};
  } else {
    PrintErr("ridgeline: the export has no tokenizer: {}\n", std::string(tokenizer.status().message()));
  }
  return SaveHuggingFace(model, saving, bounds, files, options.out);
}

// The only GGUF that a name or path stands for.
absl::StatusOr<std::string> GgufAt(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path;
  ASSIGN_OR_RETURN(const std::string found, OnlyGgufIn(path));
  if (found.empty())
    return absl::InvalidArgumentError(fmt::format(
        "{} holds no GGUF to take metadata and tokenizer from: name one of the same shape with --metadata-from", path));
  return found;
}

absl::Status ExportGguf(const ExportOptions& options, const std::string& path, const SaveOptions& saving,
                        const LanguageModel& model) {
  std::string source = path;
  if (!options.metadata_from.empty()) {
    ASSIGN_OR_RETURN(source, ResolveModelPath(options.metadata_from));
  }
  ASSIGN_OR_RETURN(source, GgufAt(source));
  ASSIGN_OR_RETURN(const std::unique_ptr<GgufFile> file, OpenGguf(source));
  return SaveGguf(model, saving, *file, options.out);
}

// Where the model goes. Nothing that lies there is replaced; a GGUF may also go through a device or FIFO.
absl::StatusOr<std::string> FreePlace(const ExportOptions& options) {
  std::string place;
  if (options.format == "gguf") {
    ASSIGN_OR_RETURN(const OutputPath output, ResolveOutputFile(options.out));
    if (output.is_stream) return options.out;
    place = output.path;
  } else {
    ASSIGN_OR_RETURN(place, ResolveOutputFolder(options.out));
  }
  std::error_code ignored;
  const bool is_free =
      !fs::exists(place, ignored) || (fs::is_directory(place, ignored) && fs::is_empty(place, ignored));
  if (is_free) return place;
  return absl::AlreadyExistsError(fmt::format("{} is there already: name another one, or remove it", options.out));
}

}  // namespace

absl::StatusOr<int> RunExport(const ExportOptions& typed) {
  ExportOptions options = typed;
  ASSIGN_OR_RETURN(const Dtype dtype, ParseDtype(options));
  ASSIGN_OR_RETURN(options.out, FreePlace(options));
  ASSIGN_OR_RETURN(const std::string path, ResolveModelPath(options.model));
  StatusLine status;
  status.Show("loading the model");
  ASSIGN_OR_RETURN(const std::unique_ptr<LanguageModel> model, LoadForInference(options.model, "float32"));
  status.Show("writing");
  const SaveOptions saving{.dtype = dtype};
  RETURN_IF_ERROR(options.format == "gguf" ? ExportGguf(options, path, saving, *model)
                                           : ExportFolder(options, path, saving, *model));
  status.Clear();
  PrintOut("{}: {} in {}\n", options.out, options.format, DtypeName(dtype));
  return kExitOk;
}

}  // namespace ridgeline
