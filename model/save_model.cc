// SPDX-License-Identifier: Apache-2.0
#include "model/save_model.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <utility>
#include <vector>

#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/gemma3.h"
#include "model/gemma3_config.h"
#include "model/gguf_blocks.h"
#include "model/gpt.h"
#include "model/packed_weights.h"
#include "model/weight_names.h"
#include "quant/autograd/torch_pch.h"
#include "weights/decode.h"
#include "weights/gguf_writer.h"
#include "weights/safetensors_writer.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxShardBytes = 5'000'000'000;
constexpr int64_t kElementsAtOnce = int64_t{1} << 20;  // Whole blocks of every type

// One tensor of the file to be.
struct Output {
  TensorDeclaration declaration;
  const Parameter* parameter = nullptr;  // Null: zeros.
  bool is_transposed = false;
  double added = 0;    // To each element.
  std::string blocks;  // Instead: the bytes as they are to be.
};

using Append = std::function<absl::Status(std::string_view name, std::string_view bytes)>;

std::vector<TensorDeclaration> Declarations(const std::vector<Output>& outputs) {
  std::vector<TensorDeclaration> declarations;
  for (const Output& output : outputs) declarations.push_back(output.declaration);
  return declarations;
}

at::Tensor ValuesOf(const Output& output, SavedValues values) {
  if (output.parameter == nullptr) return at::zeros(output.declaration.shape);
  const Parameter& parameter = *output.parameter;
  const bool quantized = values == SavedValues::kQuantized && parameter.quantizer.spec.enabled();
  const at::Tensor tensor = quantized ? parameter.Values() : parameter.master;
  return output.is_transposed ? tensor.t() : tensor;
}

absl::Status AppendTensor(const Output& output, SavedValues values, const Append& append) {
  at::NoGradGuard no_grad;
  const TensorDeclaration& declaration = output.declaration;
  if (!output.blocks.empty()) return append(declaration.name, output.blocks);
  const at::Tensor flat = ValuesOf(output, values).reshape({-1});
  std::string bytes;
  for (int64_t begin = 0; begin < flat.numel(); begin += kElementsAtOnce) {
    const int64_t count = std::min(kElementsAtOnce, flat.numel() - begin);
    at::Tensor slice = flat.narrow(0, begin, count).to(at::kCPU, at::kFloat);
    if (output.added != 0) slice = slice + output.added;
    bytes.clear();
    const absl::Status encoded = EncodeFromFloat(
        declaration.dtype, std::span(slice.const_data_ptr<float>(), static_cast<size_t>(count)), &bytes);
    if (!encoded.ok())
      return absl::Status(encoded.code(), fmt::format("'{}': {}", declaration.name, std::string(encoded.message())));
    RETURN_IF_ERROR(append(declaration.name, bytes));
  }
  return absl::OkStatus();
}

// The bias that GPT-2's layer has and this GPT's has not.
Output ZeroBias(const std::string& weight_name, int64_t size, Dtype dtype) {
  const std::string stem = weight_name.substr(0, weight_name.size() - std::string_view("weight").size());
  return {.declaration = {stem + "bias", dtype, {size}}};
}

std::vector<Output> HuggingFaceOutputs(const LanguageModel& model, Dtype dtype) {
  const auto* gpt = dynamic_cast<const Gpt*>(&model);
  std::vector<Output> outputs;
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.of_quantizer) continue;
    const StoredName& stored = StoredNameOf(*parameter.shape, WeightNaming::kHuggingFace);
    Output output{
        .declaration = {(gpt != nullptr ? "transformer." : "") + stored.name, dtype, parameter.master.sizes().vec()},
        .parameter = &parameter,
        .is_transposed = stored.is_transposed};
    if (stored.is_transposed) std::reverse(output.declaration.shape.begin(), output.declaration.shape.end());
    outputs.push_back(output);
    if (stored.is_transposed && !gpt->config().has_biases)
      outputs.push_back(ZeroBias(output.declaration.name, parameter.master.size(0), dtype));
  }
  return outputs;
}

absl::Status WriteWeights(const LanguageModel& model, const SaveOptions& options, const fs::path& path) {
  const std::vector<Output> outputs = HuggingFaceOutputs(model, options.dtype);
  SafetensorsWriter::Options writing{.metadata = {{"format", "pt"}}, .max_shard_bytes = kMaxShardBytes};
  ASSIGN_OR_RETURN(const auto writer, SafetensorsWriter::Create(path.string(), Declarations(outputs), writing));
  for (const Output& output : outputs)
    RETURN_IF_ERROR(AppendTensor(output, options.values, [&](std::string_view name, std::string_view bytes) {
      return writer->Append(name, bytes);
    }));
  return writer->Finish();
}

absl::Status WriteOtherFiles(const std::string& config, const std::map<std::string, std::string>& other_files,
                             const fs::path& folder) {
  for (const auto& [name, content] : other_files)
    RETURN_IF_ERROR(WriteFileAtomically((folder / name).string(), content));
  return WriteFileAtomically((folder / "config.json").string(), config);
}

absl::Status Replace(const fs::path& folder, const fs::path& with) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (!error) fs::rename(with, folder, error);
  if (error) return ErrnoStatus(error.value(), fmt::format("replacing {}", folder.string()));
  const std::string parent = folder.parent_path().string();
  return SyncDirectory(parent.empty() ? "." : parent);
}

// Has `write` fill a folder, which appears under its name when all of it is there.
absl::Status WriteInPlace(const std::string& folder, const std::function<absl::Status(const fs::path&)>& write) {
  const fs::path partial = folder + ".partial";
  std::error_code ignored;
  fs::remove_all(partial, ignored);
  absl::Status written = MakeDirectories(partial.string());
  if (written.ok()) written = write(partial);
  if (written.ok()) written = Replace(folder, partial);
  if (!written.ok()) fs::remove_all(partial, ignored);
  return written;
}

// GGUF's own numbers for general.file_type.
uint32_t FileTypeOf(Dtype dtype) {
  constexpr std::array<std::pair<Dtype, uint32_t>, 13> kTypes = {{{Dtype::kF32, 0},
                                                                  {Dtype::kF16, 1},
                                                                  {Dtype::kQ4_0, 2},
                                                                  {Dtype::kQ4_1, 3},
                                                                  {Dtype::kQ8_0, 7},
                                                                  {Dtype::kQ5_0, 8},
                                                                  {Dtype::kQ5_1, 9},
                                                                  {Dtype::kBF16, 32},
                                                                  {Dtype::kTQ1_0, 36},
                                                                  {Dtype::kTQ2_0, 37},
                                                                  {Dtype::kMXFP4, 38},
                                                                  {Dtype::kQ1_0, 40},
                                                                  {Dtype::kQ2_0, 41}}};
  for (const auto& [type, number] : kTypes)
    if (type == dtype) return number;
  return 0;
}

Dtype DtypeInGguf(const Parameter& parameter, const LanguageModel& model, Dtype dtype) {
  if (parameter.master.dim() < 2) return Dtype::kF32;
  return &parameter == &model.head() && IsBlockDtype(dtype) ? Dtype::kQ8_0 : dtype;
}

std::vector<Output> GgufOutputs(const LanguageModel& model, Dtype dtype) {
  std::vector<Output> outputs;
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.of_quantizer) continue;
    const StoredName& stored = StoredNameOf(*parameter.shape, WeightNaming::kGguf);
    outputs.push_back(
        {.declaration = {stored.name, DtypeInGguf(parameter, model, dtype), parameter.master.sizes().vec()},
         .parameter = &parameter,
         .added = stored.has_one_added ? 1.0 : 0.0});
  }
  return outputs;
}

// What the metadata that is taken over says has to hold for these weights too.
absl::Status CheckSameShape(const Gemma3Config& model, const GgufFile& source) {
  ASSIGN_OR_RETURN(const Gemma3Config other, Gemma3ConfigFromGguf(source, "the metadata's GGUF"));
  auto sizes = [](const Gemma3Config& config) {
    return std::vector<int64_t>{config.vocab_size, config.dim,        config.n_layers, config.mlp_dim,
                                config.n_heads,    config.n_kv_heads, config.head_dim, config.sliding_window};
  };
  if (sizes(model) == sizes(other) && model.slides == other.slides) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("the GGUF that metadata and tokenizer come from is of another shape: {} layers, width {}, {} tokens; "
                  "the model has {}, {}, {}",
                  other.n_layers, other.dim, other.vocab_size, model.n_layers, model.dim, model.vocab_size));
}

absl::Status CheckGgufSource(const LanguageModel& model, const GgufFile& source) {
  const auto* gemma = dynamic_cast<const Gemma3*>(&model);
  if (gemma == nullptr)
    return absl::InvalidArgumentError("GGUF is written for Gemma 3 alone; safetensors holds this model");
  return CheckSameShape(gemma->config(), source);
}

// `dtype` is what the file is said to be of.
absl::Status WriteGguf(const std::vector<Output>& outputs, SavedValues values, Dtype dtype, const GgufFile& source,
                       const std::string& path) {
  GgufMetadata metadata;
  metadata.CopyFrom(source, "");
  metadata.SetUint32("general.file_type", FileTypeOf(dtype));
  metadata.SetUint32("general.quantization_version", 2);
  ASSIGN_OR_RETURN(const auto writer, GgufWriter::Create(path, metadata, Declarations(outputs)));
  for (const Output& output : outputs)
    RETURN_IF_ERROR(AppendTensor(
        output, values, [&](std::string_view name, std::string_view bytes) { return writer->Append(name, bytes); }));
  return writer->Finish();
}

// Codes in place of values, or F32 where one of the scales is none of the type's.
absl::Status SetBlocks(const PackedView& packed, Output* output, GgufCodes* written) {
  const absl::StatusOr<GgufImage> image = GgufImageOf(packed.layout.spec, packed.layout.features);
  if (!image.ok())
    return absl::Status(image.status().code(),
                        fmt::format("{}: {}", output->parameter->name, std::string(image.status().message())));
  absl::StatusOr<std::string> blocks = GgufBlocksOf(packed, *image);
  output->declaration.dtype = blocks.ok() ? image->dtype : Dtype::kF32;
  written->elements[output->declaration.dtype] += packed.layout.rows * packed.layout.features;
  if (blocks.ok())
    output->blocks = *std::move(blocks);
  else
    written->as_floats.push_back(
        fmt::format("{}: {}", output->parameter->name, std::string(blocks.status().message())));
  return absl::OkStatus();
}

}  // namespace

absl::Status SaveHuggingFace(const LanguageModel& model, const SaveOptions& options, const TextBounds& bounds,
                             const std::map<std::string, std::string>& other_files, const std::string& folder) {
  return WriteInPlace(folder, [&](const fs::path& partial) -> absl::Status {
    ASSIGN_OR_RETURN(const std::string config, HuggingFaceConfigOf(model, options.dtype, bounds));
    RETURN_IF_ERROR(WriteWeights(model, options, partial / "model.safetensors"));
    return WriteOtherFiles(config, other_files, partial);
  });
}

absl::Status SavePacked(const LanguageModel& model, Dtype dtype, const TextBounds& bounds,
                        const std::map<std::string, std::string>& other_files, const std::string& folder) {
  return WriteInPlace(folder, [&](const fs::path& partial) -> absl::Status {
    ASSIGN_OR_RETURN(const std::string config, PackedConfigOf(model, dtype, bounds));
    RETURN_IF_ERROR(WritePackedWeights(model, dtype, (partial / "model.safetensors").string()));
    return WriteOtherFiles(config, other_files, partial);
  });
}

absl::Status SaveGguf(const LanguageModel& model, const SaveOptions& options, const GgufFile& source,
                      const std::string& path) {
  RETURN_IF_ERROR(CheckGgufSource(model, source));
  return WriteGguf(GgufOutputs(model, options.dtype), options.values, options.dtype, source, path);
}

absl::StatusOr<GgufCodes> SaveGgufWithCodes(const LanguageModel& model, Dtype dtype, const PackedWeights& codes,
                                            const GgufFile& source, const std::string& path) {
  RETURN_IF_ERROR(CheckGgufSource(model, source));
  std::vector<Output> outputs = GgufOutputs(model, dtype);
  GgufCodes written;
  for (Output& output : outputs)
    if (const auto found = codes.find(output.parameter->name); found != codes.end())
      RETURN_IF_ERROR(SetBlocks(found->second.view(), &output, &written));
  const auto usual = std::max_element(written.elements.begin(), written.elements.end(),
                                      [](const auto& a, const auto& b) { return a.second < b.second; });
  const Dtype named = usual == written.elements.end() ? dtype : usual->first;
  RETURN_IF_ERROR(WriteGguf(outputs, SavedValues::kQuantized, named, source, path));
  return written;
}

}  // namespace ridgeline
