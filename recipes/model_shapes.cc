// SPDX-License-Identifier: Apache-2.0
// The one table of named shapes.
#include "recipes/model_shapes.h"

#include <algorithm>

namespace ridgeline::recipe_internal {
namespace {

constexpr ModelShape kShapes[] = {
    {.name = "gpt-nano", .dim = 128, .n_heads = 4},
    {.name = "gpt-11m", .dim = 384, .n_heads = 6},
    {.name = "gpt2", .dim = 768, .n_heads = 12, .max_seq_len = 1024},
    {.name = "gpt"},
    // Heads of 256 features, whatever the width.
    {.name = "gemma3-270m", .dim = 640, .n_heads = 4, .attention_width = 1024, .mlp_width = 2048, .max_seq_len = 32768},
    {.name = "gemma3-1b", .dim = 1152, .n_heads = 4, .attention_width = 1024, .mlp_width = 6912, .max_seq_len = 32768},
    {.name = "gemma3-4b",
     .dim = 2560,
     .n_heads = 8,
     .attention_width = 2048,
     .mlp_width = 10240,
     .max_seq_len = 131072},
};

}  // namespace

std::span<const ModelShape> ModelShapes() { return kShapes; }

const ModelShape* FindModelShape(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kShapes), std::end(kShapes), [&](const ModelShape& shape) { return shape.name == name; });
  return found == std::end(kShapes) ? nullptr : found;
}

int64_t WidthOf(const v1::Model& model) {
  if (model.has_path()) return 0;
  if (model.has_dim()) return model.dim();
  const ModelShape* shape = FindModelShape(model.name());
  return shape == nullptr ? 0 : shape->dim;
}

std::vector<int64_t> RowLengths(const v1::Model& model) {
  const int64_t dim = WidthOf(model);
  const ModelShape* shape = FindModelShape(model.name());
  if (dim <= 0 || shape == nullptr) return {};
  if (shape->is_fixed()) return {dim, shape->attention_width, shape->mlp_width};
  return {dim, 4 * dim};
}

}  // namespace ridgeline::recipe_internal
