// SPDX-License-Identifier: Apache-2.0
#include "model/load_model.h"

#include <algorithm>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/make_model.h"
#include "model/model_files.h"
#include "model/packed_weights.h"
#include "model/stored_weights.h"
#include "model/weight_tensor.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// `whole`: all rows, of which this rank may have some.
void SetMaster(const at::Tensor& whole, Parameter* parameter) {
  at::NoGradGuard no_grad;
  parameter->master.copy_(whole.narrow(0, parameter->sharing.own_rows.begin, parameter->sharing.own_rows.count()));
}

at::Tensor Decoded(const PackedView& packed, const ParameterShape& shape) {
  at::Tensor whole = at::empty(shape.sizes);
  DecodeInto(packed, whole);
  return whole;
}

// What a quantizer learned is in packed models alone: elsewhere it begins with the first numbers it sees.
absl::Status LoadLearned(const ModelFiles& files, const StoredWeights& weights, Parameter* parameter) {
  const TensorView* view = files.is_packed ? weights.FindLearned(*parameter->shape) : nullptr;
  if (view == nullptr) return absl::OkStatus();
  if (view->shape != parameter->shape->sizes)
    return absl::InvalidArgumentError(fmt::format("{}: tensor '{}' has the shape [{}], the model needs [{}]",
                                                  files.path, view->name, fmt::join(view->shape, ", "),
                                                  fmt::join(parameter->shape->sizes, ", ")));
  ASSIGN_OR_RETURN(const at::Tensor tensor, ToTensor(*view, at::kFloat));
  SetMaster(tensor, parameter);
  return absl::OkStatus();
}

// Layers multiply with the codes from now on, and there are no masters. Where codes are no whole numbers, the master is
// what they stand for.
void UsePacked(const PackedView& packed, const QuantizerSpec& inputs, Parameter* parameter) {
  absl::StatusOr<PackedMatrix> matrix = PackedMatrix::Create(CopyOf(packed), inputs);
  if (!matrix.ok()) return DecodeInto(packed, parameter->master);
  parameter->packed = std::make_shared<PackedMatrix>(*std::move(matrix));
  if (parameter->packed->quantizes_inputs()) parameter->input = nullptr;
  parameter->master.reset();
  parameter->compute.reset();
}

// Fills every master from the file.
absl::Status LoadMasters(const ModelFiles& files, bool in_use, LanguageModel* model) {
  ASSIGN_OR_RETURN(const StoredWeights weights, StoredWeights::Create(*files.weights, files.naming));
  for (Parameter& parameter : model->parameters()) {
    if (parameter.of_quantizer) {
      RETURN_IF_ERROR(LoadLearned(files, weights, &parameter));
      continue;
    }
    if (const QuantizerSpec quantizer = WeightQuantizerOf(*parameter.shape, files.quantizers); quantizer.quantizes()) {
      ASSIGN_OR_RETURN(const PackedView packed, weights.FindPacked(*parameter.shape, quantizer));
      if (in_use)
        UsePacked(packed, InputQuantizerOf(*parameter.shape, files.quantizers), &parameter);
      else
        SetMaster(Decoded(packed, *parameter.shape), &parameter);
      continue;
    }
    const StoredName& stored = StoredNameOf(*parameter.shape, files.naming);
    const TensorView* view = weights.Find(*parameter.shape);  // OpenModelFiles found every one.
    const at::IntArrayRef wanted = parameter.shape->sizes;
    std::vector<int64_t> shape = view->shape;
    if (stored.is_transposed) std::reverse(shape.begin(), shape.end());
    if (at::IntArrayRef(shape) != wanted)
      return absl::InvalidArgumentError(fmt::format("{}: tensor '{}' has the shape [{}], the model needs [{}]",
                                                    files.path, view->name, fmt::join(shape, ", "),
                                                    fmt::join(wanted, ", ")));
    ASSIGN_OR_RETURN(at::Tensor tensor, ToTensor(*view, at::kFloat));
    SetMaster(stored.is_transposed ? tensor.t() : tensor, &parameter);
    if (stored.has_one_added) parameter.master.sub_(1);
  }
  model->RefreshCompute();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<LanguageModel>> LoadModel(const std::string& path, const ModelOptions& options) {
  ASSIGN_OR_RETURN(const ModelFiles files, OpenModelFiles(path));
  ASSIGN_OR_RETURN(std::unique_ptr<LanguageModel> model, MakeModel(files.config, options, std::nullopt));
  RETURN_IF_ERROR(LoadMasters(files, /*in_use=*/false, model.get()));
  return model;
}

absl::StatusOr<PackedWeights> LoadCodes(const std::string& path) {
  ASSIGN_OR_RETURN(const ModelFiles files, OpenModelFiles(path));
  ASSIGN_OR_RETURN(const StoredWeights weights, StoredWeights::Create(*files.weights, files.naming));
  PackedWeights codes;
  for (const ParameterShape& parameter : ParametersOf(files.config)) {
    const QuantizerSpec quantizer = WeightQuantizerOf(parameter, files.quantizers);
    if (!quantizer.quantizes()) continue;
    ASSIGN_OR_RETURN(const PackedView packed, weights.FindPacked(parameter, quantizer));
    codes.emplace(parameter.name, CopyOf(packed));
  }
  return codes;
}

absl::StatusOr<std::unique_ptr<LanguageModel>> LoadModelInUse(const std::string& path, at::ScalarType compute_dtype) {
  ASSIGN_OR_RETURN(const ModelFiles files, OpenModelFiles(path));
  ModelOptions options;
  options.activation = files.quantizers.activation;
  options.skip = files.quantizers.skip;
  options.compute_dtype = compute_dtype;
  ASSIGN_OR_RETURN(std::unique_ptr<LanguageModel> model, MakeModel(files.config, options, std::nullopt));
  RETURN_IF_ERROR(LoadMasters(files, /*in_use=*/true, model.get()));
  return model;
}

}  // namespace ridgeline
