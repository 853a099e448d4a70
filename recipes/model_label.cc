// SPDX-License-Identifier: Apache-2.0
#include "recipes/model_label.h"

#include <filesystem>

#include "fmt/format.h"

namespace ridgeline {

std::string ModelLabel(const v1::Recipe& recipe) {
  const v1::Model& model = recipe.model();
  if (model.has_path()) {
    std::filesystem::path path(model.path());
    return (path.has_filename() ? path : path.parent_path()).filename().string();
  }
  std::string sizes;
  auto add = [&sizes](const char* key, int value) {
    sizes += fmt::format("{}{}={}", sizes.empty() ? "" : " ", key, value);
  };
  if (model.has_n_layers()) add("n_layers", model.n_layers());
  if (model.has_dim()) add("dim", model.dim());
  if (model.has_n_heads()) add("n_heads", model.n_heads());
  return sizes.empty() ? model.name() : fmt::format("{}({})", model.name(), sizes);
}

}  // namespace ridgeline
