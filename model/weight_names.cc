// SPDX-License-Identifier: Apache-2.0
#include "model/weight_names.h"

#include <array>
#include <string_view>
#include <utility>

namespace ridgeline {
namespace {

using Renaming = std::pair<std::string_view, std::string_view>;

constexpr std::array<Renaming, 14> kGgufGemma3 = {{{"self_attn.q_proj", "attn_q"},
                                                   {"self_attn.k_proj", "attn_k"},
                                                   {"self_attn.v_proj", "attn_v"},
                                                   {"self_attn.o_proj", "attn_output"},
                                                   {"self_attn.q_norm", "attn_q_norm"},
                                                   {"self_attn.k_norm", "attn_k_norm"},
                                                   {"post_attention_layernorm", "post_attention_norm"},
                                                   {"pre_feedforward_layernorm", "ffn_norm"},
                                                   {"post_feedforward_layernorm", "post_ffw_norm"},
                                                   {"input_layernorm", "attn_norm"},
                                                   {"mlp.gate_proj", "ffn_gate"},
                                                   {"mlp.up_proj", "ffn_up"},
                                                   {"mlp.down_proj", "ffn_down"},
                                                   {"model.layers", "blk"}}};
constexpr std::array<Renaming, 4> kGpt2 = {
    {{"attn.qkv", "attn.c_attn"}, {"attn.proj", "attn.c_proj"}, {"mlp.fc", "mlp.c_fc"}, {"mlp.proj", "mlp.c_proj"}}};

template <size_t n>
bool Rename(const std::array<Renaming, n>& renamings, std::string* name) {
  bool renamed = false;
  for (const auto& [from, to] : renamings)
    if (size_t at = name->find(from); at != std::string::npos) {
      name->replace(at, from.size(), to);
      renamed = true;
    }
  return renamed;
}

bool Contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

StoredWeight NameInGguf(const std::string& parameter) {
  StoredWeight stored{.name = parameter, .subtract_one = Contains(parameter, "norm")};
  if (parameter == "model.embed_tokens.weight")
    stored.name = "token_embd.weight";
  else if (parameter == "model.norm.weight")
    stored.name = "output_norm.weight";
  else
    Rename(kGgufGemma3, &stored.name);
  return stored;
}

StoredWeight NameInGpt2(const std::string& parameter) {
  StoredWeight stored{.name = parameter};
  const bool is_linear = Rename(kGpt2, &stored.name);
  stored.is_transposed = is_linear && Contains(parameter, ".weight");
  return stored;
}

}  // namespace

StoredWeight NameStoredWeight(WeightNaming naming, const std::string& parameter) {
  if (naming == WeightNaming::kGgufGemma3) return NameInGguf(parameter);
  if (naming == WeightNaming::kHuggingFaceGpt2) return NameInGpt2(parameter);
  return {.name = parameter};
}

}  // namespace ridgeline
