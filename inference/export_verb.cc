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
#include "fmt/ranges.h"
#include "inference/loaded_model.h"
#include "inference/status_line.h"
#include "inference/verbs.h"
#include "method/estimator_traits.h"
#include "method/problems.h"
#include "model/finite_weights.h"
#include "model/gguf_image.h"
#include "model/load_model.h"
#include "model/model_files.h"
#include "model/save_model.h"
#include "quant/autograd/torch_pch.h"
#include "weights/model_store.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<Dtype> ParseDtype(const ExportOptions& options) {
  std::string name = options.dtype.empty() ? "bf16" : options.dtype;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
  for (Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBF16})
    if (name == DtypeName(dtype)) return dtype;
  for (Dtype dtype : {Dtype::kQ8_0, Dtype::kQ4_0, Dtype::kQ4_1, Dtype::kQ5_0, Dtype::kQ5_1})
    if (name == DtypeName(dtype) && options.format == "gguf") return dtype;
  return absl::InvalidArgumentError(
      fmt::format("--dtype {}: {} holds f32, f16, bf16{}", options.dtype, options.format,
                  options.format == "gguf" ? ", q8_0, q4_0, q4_1, q5_0, q5_1" : "; --format gguf holds it"));
}

// What a folder has beside weights.
struct TextFiles {
  std::map<std::string, std::string> files;
  TextBounds bounds;
};

absl::StatusOr<TextFiles> TextFilesOf(const ExportOptions& options, const std::string& path) {
  TextFiles text;
  const auto tokenizer = LoadTokenizerOf(options.model, "");
  if (tokenizer.ok()) {
    ASSIGN_OR_RETURN(text.files, TokenizerFilesOf(path, **tokenizer));
    text.bounds = {(*tokenizer)->special_tokens().bos_id, (*tokenizer)->special_tokens().eos_id};
  } else {
    PrintErr("ridgeline: the export has no tokenizer: {}\n", std::string(tokenizer.status().message()));
  }
  return text;
}

absl::Status ExportFolder(const ExportOptions& options, const std::string& path, const SaveOptions& saving,
                          const LanguageModel& model) {
  ASSIGN_OR_RETURN(const TextFiles text, TextFilesOf(options, path));
  return SaveHuggingFace(model, saving, text.bounds, text.files, options.out);
}

// Straight from the model's weights: no training has seen these codes.
absl::StatusOr<QuantizerSpec> SpecOfOptions(const ExportOptions& options) {
  if (options.weight_format.empty() || options.weight_format == "none")
    return absl::InvalidArgumentError("packed weights are in a format of few bits: name it with --weight-format");
  QuantizerSpec spec{.estimator = options.estimator.empty() ? "ste" : options.estimator};
  ASSIGN_OR_RETURN(spec.format, ParseFormat(options.weight_format));
  const EstimatorTraits* traits = FindEstimatorTraits(spec.estimator);
  if (traits == nullptr)
    return absl::InvalidArgumentError(
        fmt::format("--estimator {}: use {}", options.estimator,
                    EstimatorNames([](const EstimatorTraits& row) { return row.is_defined_for(Side::kWeight); })));
  const Scheme usual = traits->weight_scheme.value_or(IsInteger(spec.format) ? Scheme::kAffine : Scheme::kLinear);
  spec.scheme = traits->scheme.value_or(usual);
  if (!options.scheme.empty()) {
    ASSIGN_OR_RETURN(spec.scheme, ParseScheme(options.scheme));
  }
  spec.grid = traits->grid.value_or(GridStatistics::kMinMax);
  spec.grid_gradient = traits->grid_gradient.value_or(GridGradient::kDetached);
  spec.granularity = traits->weight_granularity.value_or(Granularity::kBlock);
  if (options.block > 0 && spec.granularity != Granularity::kBlock)
    return absl::InvalidArgumentError(fmt::format("--block {}: {} has one scale for each {}: leave it out",
                                                  options.block, spec.estimator, GranularityName(spec.granularity)));
  if (OwnBlock(spec.format) > 0) spec.block = OwnBlock(spec.format);
  if (options.block > 0) spec.block = options.block;
  spec.scale_precision = ScalePrecision::kFloat16;
  if (!options.scales.empty()) {
    ASSIGN_OR_RETURN(spec.scale_precision, ParseStoredScales(options.scales));
  }
  const absl::Status valid = ValidateQuantizerSpec(spec, Side::kWeight);
  if (valid.ok()) return spec;
  return absl::InvalidArgumentError(fmt::format("--weight-format {} --estimator {} --scheme {} --block {}: {}",
                                                options.weight_format, spec.estimator, SchemeName(spec.scheme),
                                                spec.block, std::string(valid.message())));
}

// Inputs in blocks of the weights'.
absl::StatusOr<QuantizerSpec> ActivationOfOptions(const ExportOptions& options, const QuantizerSpec& weight) {
  if (options.activation_format.empty() || options.activation_format == "none") return QuantizerSpec{};
  QuantizerSpec spec{.estimator = "ste", .scheme = Scheme::kLinear};
  ASSIGN_OR_RETURN(spec.format, ParseFormat(options.activation_format));
  spec.block = OwnBlock(spec.format) > 0 ? OwnBlock(spec.format) : weight.block;
  const absl::Status valid = ValidateQuantizerSpec(spec, Side::kActivation);
  if (valid.ok()) return spec;
  return absl::InvalidArgumentError(
      fmt::format("--activation-format {}: {}", options.activation_format, std::string(valid.message())));
}

absl::StatusOr<EmbeddingFormat> EmbeddingOfOptions(const ExportOptions& options) {
  EmbeddingFormat embedding;
  if (options.embedding_format.empty()) return embedding;
  ASSIGN_OR_RETURN(embedding.format, ParseFormat(options.embedding_format));
  return embedding;
}

absl::Status ExportPacked(const ExportOptions& options, const std::string& path, Dtype dtype, StatusLine* status) {
  ASSIGN_OR_RETURN(const ModelFiles files, OpenModelFiles(path));
  if (files.is_packed)
    return absl::InvalidArgumentError(
        fmt::format("{} is packed already, and rounding it again would lose more: copy it", options.model));
  ModelOptions quantized;
  ASSIGN_OR_RETURN(quantized.weight, SpecOfOptions(options));
  ASSIGN_OR_RETURN(quantized.activation, ActivationOfOptions(options, quantized.weight));
  ASSIGN_OR_RETURN(quantized.embedding, EmbeddingOfOptions(options));
  status->Show("loading the model");
  ASSIGN_OR_RETURN(const std::unique_ptr<LanguageModel> model, LoadModel(path, quantized));
  RETURN_IF_ERROR(CheckFiniteFiles(*model, path));
  ASSIGN_OR_RETURN(const TextFiles text, TextFilesOf(options, path));
  status->Show("writing");
  return SavePacked(*model, dtype, text.bounds, text.files, options.out);
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

// Where metadata and tokenizer come from.
absl::StatusOr<std::unique_ptr<GgufFile>> OpenGgufSource(const ExportOptions& options, const std::string& path) {
  std::string source = path;
  if (!options.metadata_from.empty()) {
    ASSIGN_OR_RETURN(source, ResolveModelPath(options.metadata_from));
  }
  ASSIGN_OR_RETURN(source, GgufAt(source));
  return OpenGguf(source);
}

absl::Status ExportGguf(const ExportOptions& options, const std::string& path, const SaveOptions& saving,
                        const LanguageModel& model) {
  ASSIGN_OR_RETURN(const std::unique_ptr<GgufFile> source, OpenGgufSource(options, path));
  return SaveGguf(model, saving, *source, options.out);
}

// What llama.cpp will not compute as the packed model does.
void WarnAboutInputs(const Quantizers& quantizers) {
  if (quantizers.activation.enabled())
    PrintErr(
        "ridgeline: warning: GGUF has no place for quantized inputs ({} here): llama.cpp rounds them in its own "
        "way, to 8 bits in most products on a CPU\n",
        FormatName(quantizers.activation.format));
}

// A line on each type: what codes take in it, and what they take packed.
void PrintCodes(const std::string& out, const GgufCodes& written, const PackedWeights& codes) {
  int64_t packed_bytes = 0;
  for (const auto& [name, matrix] : codes) packed_bytes += matrix.layout.total_bytes();
  std::vector<std::string> types;
  double bytes = 0;
  for (const auto& [dtype, elements] : written.elements) {
    bytes += static_cast<double>(elements) * BitsPerNumber(dtype) / 8;
    types.push_back(fmt::format("{} ({} bits a weight, {} weights)", DtypeName(dtype), BitsPerNumber(dtype), elements));
  }
  for (const std::string& matrix : written.as_floats)
    PrintErr("ridgeline: warning: {}: stored as F32, which holds its values\n", matrix);
  PrintOut("{}: gguf with the codes of {} matrices as {}: {:.0f} bytes, {} packed; all else in BF16\n", out,
           codes.size(), fmt::join(types, ", "), bytes, packed_bytes);
}

absl::Status ExportGgufCodes(const ExportOptions& options, const std::string& path, StatusLine* status) {
  ASSIGN_OR_RETURN(const std::unique_ptr<GgufFile> source, OpenGgufSource(options, path));
  ASSIGN_OR_RETURN(const ModelFiles files, OpenModelFiles(path));
  RETURN_IF_ERROR(CheckGgufImages(ParametersOf(files.config), files.quantizers));
  status->Show("loading the model");
  ASSIGN_OR_RETURN(const std::unique_ptr<LanguageModel> model, LoadModel(path, {}));
  RETURN_IF_ERROR(CheckFiniteFiles(*model, path));
  ASSIGN_OR_RETURN(const PackedWeights codes, LoadCodes(path));
  status->Show("writing");
  ASSIGN_OR_RETURN(const GgufCodes written, SaveGgufWithCodes(*model, Dtype::kBF16, codes, *source, options.out));
  status->Clear();
  WarnAboutInputs(files.quantizers);
  PrintCodes(options.out, written, codes);
  return absl::OkStatus();
}

// Whether codes stay codes.
absl::StatusOr<bool> KeepsCodes(const ExportOptions& options, const std::string& path) {
  if (options.format != "gguf" || !options.dtype.empty()) return false;
  ASSIGN_OR_RETURN(const ModelFiles files, OpenModelFiles(path));
  return files.is_packed;
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

// Nothing that is asked for is passed over.
absl::Status CheckOptionsOfFormat(const ExportOptions& options) {
  const bool is_packed = options.format == "packed";
  const std::pair<const char*, bool> of_packed[] = {{"--weight-format", !options.weight_format.empty()},
                                                    {"--activation-format", !options.activation_format.empty()},
                                                    {"--embedding-format", !options.embedding_format.empty()},
                                                    {"--estimator", !options.estimator.empty()},
                                                    {"--scheme", !options.scheme.empty()},
                                                    {"--scales", !options.scales.empty()},
                                                    {"--block", options.block > 0}};
  for (const auto& [flag, is_given] : of_packed)
    if (is_given && !is_packed)
      return absl::InvalidArgumentError(fmt::format("{} is for --format packed, and this is {}", flag, options.format));
  if (is_packed && !options.metadata_from.empty())
    return absl::InvalidArgumentError("--metadata-from is for --format gguf, and this is packed");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> RunExport(const ExportOptions& typed) {
  ExportOptions options = typed;
  RETURN_IF_ERROR(CheckOptionsOfFormat(options));
  ASSIGN_OR_RETURN(const Dtype dtype, ParseDtype(options));
  ASSIGN_OR_RETURN(options.out, FreePlace(options));
  ASSIGN_OR_RETURN(const std::string path, ResolveModelPath(options.model));
  StatusLine status;
  if (options.format == "packed") {
    RETURN_IF_ERROR(ExportPacked(options, path, dtype, &status));
    status.Clear();
    const auto named = [](std::string_view what, const std::string& format) {
      return format.empty() || format == "none" ? "" : fmt::format(", {} {}", what, format);
    };
    PrintOut("{}: {}{}{}, all else in {}\n", options.out, options.weight_format,
             named("inputs", options.activation_format), named("embedding", options.embedding_format),
             DtypeName(dtype));
    return kExitOk;
  }
  ASSIGN_OR_RETURN(const bool keeps_codes, KeepsCodes(options, path));
  if (keeps_codes) {
    RETURN_IF_ERROR(ExportGgufCodes(options, path, &status));
    return kExitOk;
  }
  status.Show("loading the model");
  ASSIGN_OR_RETURN(const std::unique_ptr<LanguageModel> model, LoadModel(path, {}));
  RETURN_IF_ERROR(CheckFiniteFiles(*model, path));
  status.Show("writing");
  const SaveOptions saving{.dtype = dtype};
  RETURN_IF_ERROR(options.format == "gguf" ? ExportGguf(options, path, saving, *model)
                                           : ExportFolder(options, path, saving, *model));
  status.Clear();
  PrintOut("{}: {} in {}\n", options.out, options.format, DtypeName(dtype));
  return kExitOk;
}

}  // namespace ridgeline
