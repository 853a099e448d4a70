// SPDX-License-Identifier: Apache-2.0
// Gemma 3's shape from GGUF metadata. A network's keys begin with its architecture's name; each of them is used, known
// to be harmless, or an error. Other keys describe (general.*, quantize.*) or belong to the tokenizer.
#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string_view>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/config_reader.h"
#include "model/gemma3_config.h"

namespace ridgeline {
namespace {

constexpr std::string_view kPrefix = "gemma3.";

// Says nothing of the network: what linear scaling does not ask for, and counts that stand elsewhere too.
constexpr std::string_view kHarmless[] = {"rope.scaling.original_context_length", "rope.scaling.finetuned",
                                          "embedding_length_out", "decoder_start_token_id"};

// The first fault is kept, with the file and the key.
class MetadataReader {
 public:
  MetadataReader(const GgufFile& file, std::string path) : file_(file), path_(std::move(path)) {}

  void Size(const char* key, int64_t* value) {
    const std::optional<uint64_t> found = file_.FindUint(Use(key));
    if (!found || *found < 1 || static_cast<double>(*found) > kMaxModelSize)
      return Fail(key, fmt::format("is missing or no size from 1 to {:.0f}", kMaxModelSize));
    *value = static_cast<int64_t>(*found);
  }

  // What is absent stays as it is.
  void Number(const char* key, double* value) {
    if (!Has(key)) return;
    const std::optional<double> found = NumberAt(key);
    if (!found || !std::isfinite(*found)) return Fail(key, "is not a finite number");
    *value = *found;
  }

  // Absent or this number: Ridgeline computes nothing else.
  void Only(const char* key, double accepted) {
    if (!Has(key)) return;
    const std::optional<double> found = NumberAt(key);
    if (!found || std::abs(*found - accepted) > 1e-6 * std::abs(accepted))
      Fail(key, fmt::format("is {}, which Ridgeline does not compute: {}",
                            found ? fmt::format("{}", *found) : "no number", accepted));
  }

  std::string Text(const char* key) { return std::string(file_.FindString(Use(key)).value_or("")); }
  bool Has(const char* key) { return file_.values().contains(Use(key)); }
  const GgufFile& file() const { return file_; }
  // The full name, which counts as used.
  std::string Use(const char* key) { return *used_.insert(std::string(kPrefix) + key).first; }

  void Fail(std::string_view key, const std::string& what) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(fmt::format("{}: {}{}: {}", path_, kPrefix, key, what));
  }

  const absl::Status& status() const { return status_; }

  // Faults of the keys that nobody asked for.
  absl::Status Finish() {
    for (const auto& [name, value] : file_.values())
      if (name.starts_with(kPrefix) && !used_.contains(name)) CheckUnused(name.substr(kPrefix.size()));
    return status_;
  }

 private:
  std::optional<double> NumberAt(const char* key) {
    const std::string name = Use(key);
    if (const std::optional<double> number = file_.FindFloat(name)) return number;
    if (const std::optional<uint64_t> number = file_.FindUint(name)) return static_cast<double>(*number);
    if (const std::optional<bool> flag = file_.FindBool(name)) return *flag ? 1 : 0;
    return std::nullopt;
  }

  void CheckUnused(const std::string& key) {
    if (std::find(std::begin(kHarmless), std::end(kHarmless), key) != std::end(kHarmless)) return;
    Fail(key,
         "Ridgeline does not know this key, and what it does not know could change the result; use a file without "
         "it (docs/formats.md lists what is read)");
  }

  const GgufFile& file_;
  const std::string path_;
  std::set<std::string, std::less<>> used_;
  absl::Status status_;
};

void ReadSizes(MetadataReader* reader, Gemma3Config* config) {
  reader->Size("embedding_length", &config->dim);
  reader->Size("block_count", &config->n_layers);
  reader->Size("feed_forward_length", &config->mlp_dim);
  reader->Size("attention.head_count", &config->n_heads);
  reader->Size("attention.head_count_kv", &config->n_kv_heads);
  reader->Size("attention.key_length", &config->head_dim);
  reader->Size("context_length", &config->max_length);
  reader->Size("attention.sliding_window", &config->sliding_window);
  reader->Number("attention.layer_norm_rms_epsilon", &config->norm_epsilon);
}

// A scaling without a kind is linear; of kind none, its factor does not count.
void ReadPositions(MetadataReader* reader, Gemma3Config* config) {
  reader->Number("rope.freq_base", &config->rope_global_base);
  reader->Number("rope.freq_base_swa", &config->rope_local_base);
  const bool has_kind = reader->Has("rope.scaling.type");
  const std::string kind = has_kind ? reader->Text("rope.scaling.type") : "linear";
  double factor = 0, older = 0;  // 0: not said.
  reader->Number("rope.scaling.factor", &factor);
  reader->Number("rope.scale_linear", &older);
  if (kind != "linear" && kind != "none")
    return reader->Fail("rope.scaling.type", fmt::format("'{}' is not computed: none, linear", kind));
  reader->Only("rope.scaling.attn_factor", 1);
  if (factor == 0) factor = older;
  config->rope_global_factor = kind == "none" || factor == 0 ? 1 : factor;
}

// A period (every n-th layer does not slide; 0: all slide), or one entry a layer.
void ReadPattern(MetadataReader* reader, Gemma3Config* config) {
  constexpr char kKey[] = "attention.sliding_window_pattern";
  config->slides = SlidingPattern(config->n_layers, 6);
  if (!reader->Has(kKey)) return;
  const std::string name = reader->Use(kKey);
  if (const std::optional<uint64_t> period = reader->file().FindUint(name)) {
    config->slides =
        *period == 0
            ? std::vector<bool>(static_cast<size_t>(config->n_layers), true)
            : SlidingPattern(config->n_layers, static_cast<int64_t>(std::min<uint64_t>(*period, uint64_t{1} << 32)));
    return;
  }
  const auto layers = reader->file().FindIntArray(name);
  if (!layers || static_cast<int64_t>(layers->size()) != config->n_layers)
    return reader->Fail(kKey, "is neither a period nor a list with one entry a layer");
  for (size_t i = 0; i < layers->size(); ++i) config->slides[i] = (*layers)[i] != 0;
}

void RefuseOtherFeatures(MetadataReader* reader, const Gemma3Config& config) {
  const double head_dim = static_cast<double>(config.head_dim);
  for (const char* key : {"attention.value_length", "attention.key_length_swa", "attention.value_length_swa",
                          "rope.dimension_count", "rope.dimension_count_swa"})
    reader->Only(key, head_dim);
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping", "expert_count", "expert_used_count",
                          "attention.shared_kv_layers", "embedding_length_per_layer_input", "nextn_predict_layers",
                          "pooling_type", "logit_scale", "attention.clamp_kqv", "attention.max_alibi_bias"})
    reader->Only(key, 0);
  reader->Only("attention.causal", 1);
  reader->Only("attention.scale", 1 / std::sqrt(config.query_scale));
  reader->Only("vocab_size", static_cast<double>(config.vocab_size));
}

// Keys outside the network's own that say that the file is another thing.
absl::Status CheckKindOfFile(const GgufFile& file, const std::string& path) {
  const std::string type(file.FindString("general.type").value_or("model"));
  if (type != "model")
    return absl::InvalidArgumentError(fmt::format("{}: general.type: this is of type '{}', not a model", path, type));
  for (const auto& [name, value] : file.values())
    if (name.starts_with("adapter."))
      return absl::InvalidArgumentError(
          fmt::format("{}: {}: belongs to an adapter; merge it into its model", path, name));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Gemma3Config> Gemma3ConfigFromGguf(const GgufFile& file, const std::string& path) {
  RETURN_IF_ERROR(CheckKindOfFile(file, path));
  const std::optional<std::string_view> architecture = file.FindString("general.architecture");
  if (architecture != "gemma3")
    return absl::InvalidArgumentError(fmt::format(
        "{}: architecture '{}' is not one that Ridgeline computes from GGUF: gemma3", path, architecture.value_or("")));
  const TensorView* embedding = file.Find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2)
    return absl::InvalidArgumentError(fmt::format("{}: no matrix token_embd.weight", path));
  Gemma3Config config;
  config.vocab_size = embedding->shape[0];
  MetadataReader reader(file, path);
  ReadSizes(&reader, &config);
  RETURN_IF_ERROR(reader.status());
  ReadPositions(&reader, &config);
  ReadPattern(&reader, &config);
  // As llama.cpp does: the file does not say it, and the 27B, known by its layers, alone has another.
  constexpr int64_t kLayersOf27b = 62;
  config.query_scale =
      static_cast<double>(config.n_layers == kLayersOf27b ? config.dim / config.n_heads : config.head_dim);
  RefuseOtherFeatures(&reader, config);
  RETURN_IF_ERROR(reader.Finish());
  const absl::Status valid = ValidateGemma3Config(config);
  if (!valid.ok()) return absl::InvalidArgumentError(fmt::format("{}: {}", path, std::string(valid.message())));
  return config;
}

}  // namespace ridgeline
