// SPDX-License-Identifier: Apache-2.0
// Which tensor of a file is which parameter, with nothing left over: a tensor that no parameter uses and that is not
// known to be harmless is an error, for it would have changed the result. No LibTorch.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "model/blueprint/model_config.h"
#include "model/blueprint/quantizers.h"
#include "model/packed_parts.h"
#include "model/weight_names.h"
#include "weights/weight_file.h"

namespace ridgeline {

// A file's tensors by the names that transformers and llama.cpp give them, whatever wraps those (module., _orig_mod.,
// base_model., language_model., transformer., or no model. at all). Refers to the file.
class StoredWeights {
 public:
  // INVALID_ARGUMENT if two tensors have the same name under their wrappers. REQUIRES: file outlives the result.
  static absl::StatusOr<StoredWeights> Create(const WeightFile& file, WeightNaming naming);

  // Null if there is none.
  const TensorView* Find(const ParameterShape& parameter) const;

  // What a quantizer learned of a layer's input, under its own name; null if it is not there.
  const TensorView* FindLearned(const ParameterShape& learned) const;

  // The parts of a weight that is packed by this quantizer. INVALID_ARGUMENT and DATA_LOSS say which is wrong.
  absl::StatusOr<PackedView> FindPacked(const ParameterShape& parameter, const QuantizerSpec& quantizer) const;

  // Every parameter is there, once, as numbers, or packed where one of these quantizes it, and not as another
  // quantizer's codes, and no tensor is left that could change the result. INVALID_ARGUMENT and DATA_LOSS say which
  // tensor is wrong and what to do, without the file's name.
  absl::Status Check(const ModelConfig& config, const Quantizers& quantizers) const;

 private:
  StoredWeights(const WeightFile& file, WeightNaming naming) : file_(file), naming_(naming) {}
  const TensorView* FindNamed(const std::string& name) const;
  absl::Status CheckUnused(const ModelConfig& config, const std::string& name, const TensorView& tensor) const;
  absl::Status CheckHead(const ModelConfig& config, const TensorView& head) const;

  const WeightFile& file_;
  const WeightNaming naming_;
  std::map<std::string, const TensorView*> by_name_;  // Without wrappers
};

}  // namespace ridgeline
