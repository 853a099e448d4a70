// SPDX-License-Identifier: Apache-2.0
#include "model/stored_weights.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <span>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "weights/decode.h"

namespace ridgeline {
namespace {

// What programs put around the names of a network's tensors.
constexpr std::array<std::string_view, 8> kWrappers = {
    "model",     "language_model", "transformer",          "module",
    "_orig_mod", "base_model",     "_fsdp_wrapped_module", "_checkpoint_wrapped_module"};

// Parts of a name by which quantizers' tensors are known, and those of adapters.
constexpr std::array<std::string_view, 17> kQuantizerParts = {
    "weight_scale", "input_scale", "output_scale", "k_scale", "v_scale",       "scales",
    "qweight",      "qzeros",      "zero_point",   "g_idx",   "weight_packed", "weight_shape",
    "absmax",       "quant_map",   "quant_state",  "SCB",     "scale_inv"};
constexpr std::array<std::string_view, 5> kAdapterParts = {"lora_", "lora.", "base_layer", "adapter", "dora"};

// Models that also see: their eyes are not used for text.
constexpr std::array<std::string_view, 4> kVisionParts = {"vision_tower.", "vision_model.", "multi_modal_projector.",
                                                          "embed_vision."};

std::string WithoutWrappers(std::string_view name) {
  std::string rest;
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('.', at), name.size());
    const std::string_view segment = name.substr(at, end - at);
    if (std::find(kWrappers.begin(), kWrappers.end(), segment) == kWrappers.end())
      rest += fmt::format("{}{}", rest.empty() ? "" : ".", segment);
    at = end + 1;
  }
  return rest;
}

// The number of the layer that a name without wrappers belongs to.
std::optional<int64_t> LayerOf(std::string_view name) {
  for (std::string_view list : {"layers.", "h.", "blk."}) {
    if (!name.starts_with(list)) continue;
    const std::string_view number = name.substr(list.size(), name.find('.', list.size()) - list.size());
    int64_t layer = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), layer);
    if (error == std::errc() && end == number.data() + number.size()) return layer;
  }
  return std::nullopt;
}

int64_t LayersOf(const ModelConfig& config) {
  return std::visit([](const auto& shape) { return shape.n_layers; }, config);
}

template <size_t n>
bool ContainsAny(std::string_view name, const std::array<std::string_view, n>& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return name.find(part) != std::string_view::npos; });
}

bool IsWholeNumbers(Dtype dtype) {
  for (Dtype whole : {Dtype::kI64, Dtype::kI32, Dtype::kI16, Dtype::kI8, Dtype::kU8, Dtype::kBool})
    if (dtype == whole) return true;
  return false;
}

// Calls `same` with stretches of both tensors, as float32, until it says no. False also if their shapes differ.
template <typename Same>
bool Compare(const TensorView& a, const TensorView& b, Same same) {
  if (a.shape != b.shape) return false;
  constexpr int64_t kSlice = 4096;  // Whole blocks of every type
  std::array<float, kSlice> left, right;
  const int64_t elements = ElementsOfShape(a.shape).value_or(0);
  for (int64_t at = 0; at < elements; at += kSlice) {
    const size_t count = static_cast<size_t>(std::min(kSlice, elements - at));
    if (!DecodeToFloat(a, at, std::span(left).first(count)).ok() ||
        !DecodeToFloat(b, at, std::span(right).first(count)).ok() ||
        !same(std::span(left).first(count), std::span(right).first(count)))
      return false;
  }
  return true;
}

bool AreEqual(const TensorView& a, const TensorView& b) {
  if (a.dtype == b.dtype && a.shape == b.shape) return a.bytes == b.bytes;
  return Compare(a, b, [](std::span<const float> x, std::span<const float> y) { return std::ranges::equal(x, y); });
}

bool IsAllOnes(const TensorView& tensor) {
  return Compare(tensor, tensor, [](std::span<const float> x, std::span<const float>) {
    return std::ranges::all_of(x, [](float value) { return value == 1; });
  });
}

// Buffers that older versions of transformers saved beside the weights: a causal mask, rotary frequencies.
bool IsSavedBuffer(std::string_view name, const TensorView& tensor) {
  if (name.ends_with(".rotary_emb.inv_freq") || name == "rotary_emb.inv_freq") return true;
  if (name.ends_with(".attn.masked_bias")) return ElementsOfShape(tensor.shape) == 1;
  return name.ends_with(".attn.bias") && tensor.shape.size() == 4 && tensor.shape[2] == tensor.shape[3];
}

bool IsHead(std::string_view name) { return name == "lm_head.weight" || name == "output.weight"; }

absl::Status Fault(std::string_view tensor, const std::string& what) {
  return absl::InvalidArgumentError(fmt::format("tensor '{}': {}", tensor, what));
}

std::string WhatIsUnused(std::string_view name) {
  for (std::string_view part : {".codes", ".scales", ".offsets", ".masks", ".steps", ".selectors", ".tensor_scale"})
    if (name.ends_with(part) && name.find(".weight.") != std::string_view::npos)
      return "belongs to a packed weight of which quantization_config in config.json does not tell; the two disagree: "
             "take both from one export";
  if (ContainsAny(name, kAdapterParts))
    return "belongs to an adapter, which Ridgeline does not read; merge it into its model (merge_and_unload in peft)";
  if (ContainsAny(name, kQuantizerParts))
    return "belongs to another quantizer, whose weights Ridgeline does not read; save the model dequantized, or name "
           "the one that it was made from";
  if (name.ends_with(".bias")) return "is a bias that this network does not have; Ridgeline computes it without";
  return "nothing in this network uses it, and what is passed over could change the result; if the network does "
         "without it, take it out of the file (docs/formats.md lists what is read)";
}

}  // namespace

absl::StatusOr<StoredWeights> StoredWeights::Create(const WeightFile& file, WeightNaming naming) {
  StoredWeights weights(file, naming);
  for (const TensorView& tensor : file.tensors()) {
    std::string name = naming == WeightNaming::kGguf ? tensor.name : WithoutWrappers(tensor.name);
    const auto [at, is_new] = weights.by_name_.emplace(std::move(name), &tensor);
    if (!is_new)
      return Fault(tensor.name, fmt::format("is there twice, also as '{}'; keep one of them", at->second->name));
  }
  return weights;
}

const TensorView* StoredWeights::FindNamed(const std::string& name) const {
  const auto at = by_name_.find(naming_ == WeightNaming::kGguf ? name : WithoutWrappers(name));
  return at == by_name_.end() ? nullptr : at->second;
}

const TensorView* StoredWeights::Find(const ParameterShape& parameter) const {
  return FindNamed(StoredNameOf(parameter, naming_).name);
}

const TensorView* StoredWeights::FindLearned(const ParameterShape& learned) const { return FindNamed(learned.name); }

absl::StatusOr<PackedView> StoredWeights::FindPacked(const ParameterShape& parameter,
                                                     const QuantizerSpec& quantizer) const {
  ASSIGN_OR_RETURN(const PackedLayout layout, PackedLayoutOf(quantizer, parameter.rows(), parameter.columns()));
  return PackedViewOf(StoredNameOf(parameter, naming_).name, layout,
                      [&](const std::string& name) { return FindNamed(name); });
}

absl::Status StoredWeights::CheckHead(const ModelConfig& config, const TensorView& head) const {
  const TensorView* embedding = Find(ParametersOf(config).front());
  if (embedding == nullptr || AreEqual(head, *embedding)) return absl::OkStatus();
  return Fault(
      head.name,
      fmt::format("is an output matrix of its own; Ridgeline computes the output with the embedding, '{}', and "
                  "would give other numbers",
                  embedding->name));
}

absl::Status StoredWeights::CheckUnused(const ModelConfig& config, const std::string& name,
                                        const TensorView& tensor) const {
  const std::optional<int64_t> layer = LayerOf(name);
  if (layer && *layer >= LayersOf(config))
    return Fault(tensor.name,
                 fmt::format("belongs to layer {}, but the model is said to have {} layers; give the number "
                             "of layers that the weights have",
                             *layer, LayersOf(config)));
  if (IsHead(name)) return CheckHead(config, tensor);
  for (std::string_view part : kVisionParts)
    if (name.starts_with(part)) return absl::OkStatus();
  if (naming_ != WeightNaming::kGguf && IsSavedBuffer(name, tensor)) return absl::OkStatus();
  if (name == "rope_freqs.weight" && IsAllOnes(tensor)) return absl::OkStatus();
  return Fault(tensor.name, WhatIsUnused(name));
}

absl::Status StoredWeights::Check(const ModelConfig& config, const Quantizers& quantizers) const {
  std::set<const TensorView*> used;
  std::string missing;
  for (const ParameterShape& parameter : WithLearned(ParametersOf(config), quantizers)) {
    if (parameter.kind == ParameterKind::kWeightScale) continue;  // One of the parts of its weight.
    if (const QuantizerSpec quantizer = WeightQuantizerOf(parameter, quantizers); quantizer.quantizes()) {
      ASSIGN_OR_RETURN(const PackedView packed, FindPacked(parameter, quantizer));
      for (const std::string& name : PackedNamesOf(StoredNameOf(parameter, naming_).name, packed.layout))
        used.insert(FindNamed(name));
      continue;
    }
    const TensorView* view = parameter.of_quantizer() ? FindLearned(parameter) : Find(parameter);
    if (view == nullptr) {
      if (missing.empty()) missing = parameter.of_quantizer() ? parameter.name : StoredNameOf(parameter, naming_).name;
      continue;
    }
    used.insert(view);
    if (IsWholeNumbers(view->dtype))
      return Fault(view->name, fmt::format("is {}: whole numbers are codes of another quantizer, not weights; save the "
                                           "model dequantized, or name the one that it was made from",
                                           DtypeName(view->dtype)));
  }
  // Nothing of the network is there: the names are others, and each of them alone would be a riddle.
  if (used.empty() && !file_.tensors().empty())
    return absl::InvalidArgumentError(fmt::format(
        "none of its {} tensors is named as one of this network ('{}', for instance, where '{}' is needed); "
        "rename them; before the names may stand {}",
        file_.tensors().size(), file_.tensors()[0].name, missing, fmt::join(kWrappers, "., ")));
  for (const auto& [name, tensor] : by_name_)
    if (!used.contains(tensor)) RETURN_IF_ERROR(CheckUnused(config, name, *tensor));
  if (missing.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("no tensor '{}' ({} tensors are there)", missing, file_.tensors().size()));
}

}  // namespace ridgeline
