// SPDX-License-Identifier: Apache-2.0
#include "inference/loaded_model.h"

#include "common/status_macros.h"
#include "data/load_tokenizer_from.h"
#include "fmt/format.h"
#include "model/finite_weights.h"
#include "model/load_model.h"
#include "quant/autograd/torch_pch.h"
#include "weights/model_store.h"

namespace ridgeline {

absl::StatusOr<std::unique_ptr<LanguageModel>> LoadForInference(const std::string& name_or_path,
                                                                const std::string& dtype) {
  ASSIGN_OR_RETURN(const std::string path, ResolveModelPath(name_or_path));
  ASSIGN_OR_RETURN(std::unique_ptr<LanguageModel> model,
                   LoadModelInUse(path, dtype == "bfloat16" ? at::kBFloat16 : at::kFloat));
  RETURN_IF_ERROR(CheckFiniteFiles(*model, path));
  for (Parameter& parameter : model->parameters())
    if (!parameter.computes_with_master()) parameter.master.reset();  // Nothing computes with it.
  return model;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizerOf(const std::string& name_or_path, const std::string& path) {
  std::string place = path;
  if (place.empty()) {
    ASSIGN_OR_RETURN(place, ResolveModelPath(name_or_path));
  }
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizerFrom(place);
  if (absl::IsNotFound(tokenizer.status()))
    return absl::NotFoundError(fmt::format("{}; name it with --tokenizer", std::string(tokenizer.status().message())));
  return tokenizer;
}

}  // namespace ridgeline
