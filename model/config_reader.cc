// SPDX-License-Identifier: Apache-2.0
#include "model/config_reader.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <utility>
#include <vector>

#include "common/utf8.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kHarmless[] = {
    // What wrote the file, how it was found, how it is to be run.
    "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal", "_commit_hash",
    "_name_or_path", "_num_labels", "attn_implementation", "cache_implementation", "chunk_size_feed_forward", "dtype",
    "experts_implementation", "gradient_checkpointing", "name_or_path", "output_attentions", "output_hidden_states",
    "output_past", "return_dict", "tf_legacy_loss", "tie_encoder_decoder", "tokenizer_class", "torch_dtype",
    "torchscript", "transformers_version", "unsloth_fixed", "unsloth_version", "use_bfloat16", "use_cache",
    "use_return_dict",
    // Tokens around a text: the tokenizer says them.
    "begin_suppress_tokens", "bos_token_id", "decoder_start_token_id", "eos_token_id", "forced_bos_token_id",
    "forced_eos_token_id", "pad_token_id", "prefix", "sep_token_id", "suppress_tokens",
    // How text is sampled.
    "bad_words_ids", "diversity_penalty", "do_sample", "early_stopping", "encoder_no_repeat_ngram_size",
    "exponential_decay_length_penalty", "length_penalty", "max_length", "max_new_tokens", "min_length",
    "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences", "output_scores",
    "remove_invalid_values", "repetition_penalty", "return_dict_in_generate", "task_specific_params", "temperature",
    "top_k", "top_p", "typical_p",
    // Training's own: Ridgeline drops nothing out, and begins with the weights that are there.
    "attention_dropout", "attn_pdrop", "embd_pdrop", "initializer_range", "resid_pdrop",
    // Heads of other tasks.
    "finetuning_task", "id2label", "label2id", "num_labels", "problem_type", "summary_activation",
    "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj"};

// What a key that nobody asked for is about, where its name shows that.
struct Topic {
  std::vector<std::string_view> words;  // Any of them
  std::string_view what;
};
const std::array<Topic, 4>& Topics() {
  static const std::array<Topic, 4> topics = {{
      {{"quant", "compress", "awq", "gptq", "bitsandbytes", "bnb"},
       "the weights are codes of another quantizer, which Ridgeline does not read; save the model dequantized, or name "
       "the one that it was made from"},
      {{"lora", "adapter", "peft"},
       "belongs to an adapter, which Ridgeline does not read; merge it into its model (merge_and_unload in peft)"},
      {{"rope", "rotary"}, "changes the positions in a way that Ridgeline does not compute; use a model without it"},
      {{"softcap", "logit_scale", "logits_scaling", "expert", "sparsity", "residual_multiplier"},
       "changes the network in a way that Ridgeline does not compute; use a model without it"},
  }};
  return topics;
}

constexpr std::string_view kUnknown =
    "Ridgeline does not know this key, and what it does not know could change the result; if this network does "
    "without it, take it out of the file (docs/formats.md lists what is read)";

std::string WhatIsUnknown(const std::string& key) {
  std::string lower = key;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const Topic& topic : Topics())
    for (std::string_view word : topic.words)
      if (lower.find(word) != std::string::npos) return std::string(topic.what);
  return std::string(kUnknown);
}

bool SaysNothing(const Json& value) {
  return value.is_null() || (value.is_number_float() && !std::isfinite(value.get<double>()));
}

// A value for a message: short, and UTF-8.
std::string Shown(const Json& value) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) return fmt::format("{}", value.get<double>());
  constexpr size_t kMaxBytes = 100;
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  return text.size() <= kMaxBytes ? text : text.substr(0, kMaxBytes) + "...";
}

}  // namespace

std::span<const std::string_view> HarmlessConfigKeys() { return kHarmless; }

ConfigReader::ConfigReader(const Json& object, std::string path, std::string inside)
    : object_(object), path_(std::move(path)), inside_(std::move(inside)) {}

void ConfigReader::Fail(const std::string& key, const std::string& what) {
  if (status_.ok())
    status_ = absl::InvalidArgumentError(fmt::format("{}: {}{}: {}", path_, inside_, ToValidUtf8(key), what));
}

void ConfigReader::Size(const char* key, int64_t* value) {
  used_.insert(key);
  const auto found = object_.find(key);
  if (found == object_.end()) return;
  const double number = found->is_number() ? found->get<double>() : -1;
  if (!(number >= 1 && number <= kMaxModelSize && number == std::floor(number)))
    return Fail(key, fmt::format("{} is not a size from 1 to {:.0f}", Shown(*found), kMaxModelSize));
  *value = static_cast<int64_t>(number);
}

void ConfigReader::Size(const char* key, const char* alias, int64_t* value) {
  Size(alias, value);
  const int64_t aliased = *value;
  Size(key, value);
  if (object_.contains(alias) && *value != aliased)
    Fail(key, fmt::format("is {}, but {}, which says the same, is {}", *value, alias, aliased));
}

void ConfigReader::Number(const char* key, double* value) {
  const Json* found = Find(key);
  if (found == nullptr) return;
  if (!found->is_number() || !std::isfinite(found->get<double>()))
    return Fail(key, fmt::format("{} is not a finite number", Shown(*found)));
  *value = found->get<double>();
}

void ConfigReader::Only(const char* key, std::initializer_list<Json> accepted) {
  const Json* found = Find(key);
  if (found == nullptr || std::find(accepted.begin(), accepted.end(), *found) != accepted.end()) return;
  std::vector<std::string> shown;
  for (const Json& value : accepted) shown.push_back(Shown(value));
  Fail(key, fmt::format("is {}, which Ridgeline does not compute{}{}", Shown(*found), shown.empty() ? "" : ": ",
                        fmt::join(shown, ", ")));
}

void ConfigReader::Architectures(std::initializer_list<const char*> accepted) {
  const Json* found = Find("architectures");
  if (found == nullptr) return;
  auto is_accepted = [&](const Json& name) {
    return std::any_of(accepted.begin(), accepted.end(), [&](const char* known) { return name == known; });
  };
  if (!found->is_array() || !std::all_of(found->begin(), found->end(), is_accepted))
    Fail("architectures",
         fmt::format("is {}, which Ridgeline does not compute: {}", Shown(*found), fmt::join(accepted, ", ")));
}

void ConfigReader::RefuseOtherShapes() {
  Only("is_encoder_decoder", {false});
  Only("is_decoder", {true, false});
  Only("add_cross_attention", {false});
  Only("cross_attention_hidden_size", {});
  Only("pruned_heads", {Json::object()});
  Only("per_layer_config", {Json::object()});
}

const Json* ConfigReader::Find(const char* key) {
  used_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::string ConfigReader::Text(const char* key) {
  const Json* found = Find(key);
  return found != nullptr && found->is_string() ? found->get<std::string>() : "";
}

absl::Status ConfigReader::Finish(std::span<const std::string_view> harmless) {
  for (const auto& [key, value] : object_.items()) {
    const bool is_known = used_.contains(key) || std::find(harmless.begin(), harmless.end(), key) != harmless.end();
    if (!is_known && !SaysNothing(value)) Fail(key, WhatIsUnknown(key));
  }
  return status_;
}

}  // namespace ridgeline
