// SPDX-License-Identifier: Apache-2.0
// What rules must know of the shapes that model.name can stand for; the models themselves are built in model/.
// Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline::recipe_internal {

struct ModelShape {
  std::string_view name;
  int dim = 0;      // Of the residual stream; 0: model.dim must say.
  int n_heads = 0;  // 0: model.n_heads must say.
  // Input features of the attention's last linear layer and of the MLP's. 0: a GPT, which has dim and 4 x dim, and
  // whose sizes model.n_layers, dim and n_heads override. The others are fixed.
  int attention_width = 0;
  int mlp_width = 0;
  int max_seq_len = 0;  // 0: has as many positions as training.seq_len.

  bool is_fixed() const { return mlp_width > 0; }
};

// In the order in which the schema lists their names.
std::span<const ModelShape> ModelShapes();

// Null without such a name.
const ModelShape* FindModelShape(std::string_view name);

// Width of the residual stream, with model.dim's override; 0 if only the weights of model.path know.
int64_t WidthOf(const v1::Model& model);

// Distinct numbers of input features of the linear layers that a recipe can quantize: lengths of the rows that blocks
// and sparse groups cut. Empty if only the weights of model.path know.
std::vector<int64_t> RowLengths(const v1::Model& model);

}  // namespace ridgeline::recipe_internal
