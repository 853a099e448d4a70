// SPDX-License-Identifier: Apache-2.0
#include "worker/train/model_from_recipe.h"

#include "common/status_macros.h"
#include "model/load_model.h"
#include "model/make_model.h"
#include "plan/network.h"
#include "recipes/tensor_quant.h"
#include "weights/model_store.h"
#include "worker/train/exceptions.h"

namespace ridgeline {
namespace {

absl::StatusOr<ModelOptions> OptionsFromRecipe(const v1::Recipe& recipe) {
  ASSIGN_OR_RETURN(Quantizers quantizers, AsIncompatible(QuantizersFromRecipe(recipe)));
  return ModelOptions{.weight = std::move(quantizers.weight),
                      .activation = std::move(quantizers.activation),
                      .embedding = quantizers.embedding,
                      .skip = std::move(quantizers.skip),
                      .compute_dtype = recipe.training().dtype() == "bfloat16" ? at::kBFloat16 : at::kFloat,
                      .kernels = recipe.training().kernels() == "composed" ? Kernels::kComposed : Kernels::kAuto,
                      .recompute_activations = recipe.activation_checkpoint().mode() == "full"};
}

}  // namespace

absl::StatusOr<std::unique_ptr<LanguageModel>> ModelFromRecipe(const v1::Recipe& recipe, int64_t vocab_size,
                                                               const ModelPlace& place) {
  ASSIGN_OR_RETURN(ModelOptions options, OptionsFromRecipe(recipe));
  options.shard_rank = place.shard_rank;
  options.shard_ranks = place.shard_ranks;
  options.device = place.device;
  RETURN_IF_ERROR(AsIncompatible(CheckExport(recipe)));
  std::unique_ptr<LanguageModel> model;
  if (recipe.model().has_path()) {
    ASSIGN_OR_RETURN(std::string path, ResolveModelPath(recipe.model().path()));
    ASSIGN_OR_RETURN(model, LoadModel(path, options));
  } else {
    ASSIGN_OR_RETURN(const ModelConfig config, AsIncompatible(NamedConfigFromRecipe(recipe, vocab_size)));
    ASSIGN_OR_RETURN(model, MakeModel(config, options, recipe.training().seed()));
  }
  RETURN_IF_ERROR(CheckFits(recipe, vocab_size, model->vocab_size(), model->max_length()));
  return model;
}

absl::StatusOr<std::unique_ptr<LanguageModel>> TeacherFromRecipe(const v1::Recipe& recipe, const at::Device& device) {
  ASSIGN_OR_RETURN(ModelOptions options, OptionsFromRecipe(recipe));
  ASSIGN_OR_RETURN(std::string path, ResolveModelPath(recipe.model().path()));
  return LoadModel(path, {.compute_dtype = options.compute_dtype, .device = device, .kernels = options.kernels});
}

v1::FrontierPoint PointFromRecipe(const v1::Recipe& recipe, const ModelCost& cost) {
  v1::FrontierPoint point;
  const v1::Quant& quant = recipe.quant();
  point.set_name(recipe.name());
  point.set_model(ModelLabel(recipe));
  point.set_estimator(EstimatorLabel(quant));
  point.set_weight_format("none");
  point.set_activation_format("none");
  if (IsQuantized(quant, quant.weight())) {
    point.set_weight_format(quant.weight().format());
    point.set_weight_scheme(quant.weight().scheme());
    point.set_weight_block(quant.weight().block());
  }
  if (IsQuantized(quant, quant.activation())) {
    point.set_activation_format(quant.activation().format());
    point.set_activation_scheme(quant.activation().scheme());
    point.set_activation_block(quant.activation().block());
  }
  point.set_embedding_format(quant.embedding().has_format() ? quant.embedding().format() : "none");
  const bool quantizes = IsQuantized(quant, quant.weight()) || IsQuantized(quant, quant.activation());
  point.set_hadamard(quantizes && quant.hadamard());
  point.set_sparsity(recipe.sparsity().pattern());
  point.set_seed(recipe.training().seed());
  point.set_storage_bytes(cost.storage_bytes);
  point.set_bits_per_element(cost.bits_per_element);
  point.set_energy_proxy(cost.energy_proxy);
  return point;
}

}  // namespace ridgeline
