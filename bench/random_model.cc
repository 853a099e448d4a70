// SPDX-License-Identifier: Apache-2.0
#include "bench/random_model.h"

#include "common/status_macros.h"
#include "model/gemma3.h"
#include "model/gpt.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr uint64_t kSeed = 1;
constexpr int64_t kCharacters = 70;  // Of a shape whose vocabulary its text decides.

}  // namespace

at::ScalarType DtypeOf(const std::string& name) { return name == "bfloat16" ? at::kBFloat16 : at::kFloat; }

absl::StatusOr<std::unique_ptr<LanguageModel>> RandomModel(const RandomModelOptions& shape,
                                                           const ModelOptions& options) {
  if (shape.name.starts_with("gemma3")) {
    ASSIGN_OR_RETURN(Gemma3Config config, Gemma3Shape(shape.name));
    if (shape.layers > 0) config.n_layers = shape.layers, config.slides.resize(static_cast<size_t>(shape.layers));
    return Gemma3::Create(config, options, kSeed);
  }
  ASSIGN_OR_RETURN(GptConfig config, GptShape(shape.name));
  config.seq_len = shape.seq_len;
  if (config.vocab_size == 0) config.vocab_size = kCharacters;
  return Gpt::Create(config, options, kSeed);
}

int64_t ParameterCount(const LanguageModel& model) {
  int64_t count = 0;
  for (const Parameter& parameter : model.parameters()) count += parameter.master.numel();
  return count;
}

}  // namespace ridgeline
