// SPDX-License-Identifier: Apache-2.0
#include "recipes/model_shapes.h"

#include "common/status_macros.h"

namespace ridgeline {

absl::StatusOr<ModelConfig> ShapeOf(const v1::Model& model) {
  ModelConfig config = GptConfig{.n_layers = 0, .dim = 0, .n_heads = 0};
  if (model.name() != "gpt") {
    ASSIGN_OR_RETURN(config, NamedModel(model.name()));
  }
  if (auto* gpt = std::get_if<GptConfig>(&config)) {
    if (model.has_n_layers()) gpt->n_layers = model.n_layers();
    if (model.has_dim()) gpt->dim = model.dim();
    if (model.has_n_heads()) gpt->n_heads = model.n_heads();
  }
  return config;
}

std::vector<int64_t> RowLengths(const v1::Model& model) {
  if (model.has_path()) return {};
  const absl::StatusOr<ModelConfig> config = ShapeOf(model);
  if (!config.ok() || WidthOf(*config) <= 0) return {};
  return RowLengths(*config);
}

}  // namespace ridgeline
