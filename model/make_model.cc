// SPDX-License-Identifier: Apache-2.0
#include "model/make_model.h"

#include "model/gemma3.h"
#include "model/gpt.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

absl::StatusOr<std::unique_ptr<LanguageModel>> MakeModel(const ModelConfig& config, const ModelOptions& options,
                                                         std::optional<int64_t> seed) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return Gpt::Create(*gpt, options, seed);
  return Gemma3::Create(std::get<Gemma3Config>(config), options, seed);
}

}  // namespace ridgeline
