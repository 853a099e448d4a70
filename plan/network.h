// SPDX-License-Identifier: Apache-2.0
// What a recipe says of the network, in the terms of model/ and quant/: the worker builds it, plan/ counts it. No
// LibTorch. REQUIRES, everywhere: the recipe's defaults are filled in.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/blueprint/model_config.h"
#include "model/blueprint/quantizers.h"
#include "recipes/model_label.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// INVALID_ARGUMENT says which combination has no definition.
absl::StatusOr<Quantizers> QuantizersFromRecipe(const v1::Recipe& recipe);

// n:m, or {0, 0} for dense. INVALID_ARGUMENT for other text.
absl::StatusOr<SparsityPattern> ParseSparsityPattern(const std::string& text);

// Of a recipe without model.path. A shape without a vocabulary of its own takes `vocab_size`.
absl::StatusOr<ModelConfig> NamedConfigFromRecipe(const v1::Recipe& recipe, int64_t vocab_size);

// Of any recipe: model.path's files are opened for their shape. NOT_FOUND and DATA_LOSS name a file.
absl::StatusOr<ModelConfig> ConfigFromRecipe(const v1::Recipe& recipe, int64_t vocab_size);

// Opens a model.path that is on this machine, as a worker would; errors of OpenModelFiles. OK where there is none: the
// workers may see what is not here.
absl::Status CheckModelHere(const std::string& name_or_path);

// Why a finished job cannot leave what export.weights asks for, and the key to change: a GGUF needs a Gemma 3 whose
// files are one, and an exact image of each matrix (model/gguf_image.h), which is named.
struct ExportIssue {
  std::string key;
  std::string message;
};

// Nothing if it can. Where model.path is not on this machine, formats alone are looked at, for rows of any length.
// DATA_LOSS and INVALID_ARGUMENT name a file of model.path.
absl::StatusOr<std::optional<ExportIssue>> FindExportIssue(const v1::Recipe& recipe);

// That as an error, INVALID_ARGUMENT; and NOT_FOUND where model.path is not here.
absl::Status CheckExport(const v1::Recipe& recipe);

// INVALID_ARGUMENT if the dataset's vocabulary or training.seq_len is larger than the network's.
absl::Status CheckFits(const v1::Recipe& recipe, int64_t dataset_vocab_size, int64_t vocab_size, int64_t max_length);

// Bytes of a number in the dtype that layers compute in.
int64_t ElementBytes(const v1::Training& training);

// Sequences of an optimizer step on the rank that has most of them, and those that go through the network at once.
struct BatchSplit {
  int64_t sequences_per_rank = 0;
  int64_t sequences_per_pass = 0;

  bool accumulates() const { return sequences_per_pass < sequences_per_rank; }
  int64_t passes() const { return (sequences_per_rank + sequences_per_pass - 1) / sequences_per_pass; }
};
BatchSplit SplitBatch(const v1::Training& training, int64_t ranks);

}  // namespace ridgeline
