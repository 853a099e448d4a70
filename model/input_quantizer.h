// SPDX-License-Identifier: Apache-2.0
// What quantizes the input that some layers share, and the parameters that its estimator learns.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "model/parameter.h"

namespace ridgeline {

// Owned by its model, whose parameters it uses; one thread. Throws c10::Error as FakeQuantize does.
class InputQuantizer {
 public:
  using FindParameter = std::function<Parameter*(const std::string& name)>;

  InputQuantizer(const QuantizerSpec& spec, const Ops& ops) : spec_(spec), ops_(ops) {}

  // Takes what LearnedByInput lists for the layer, all of which `find` has to find. The first layer that quantizes the
  // input has it; a second call does nothing.
  void TakeParameters(const std::string& layer, const FindParameter& find);

  // x: (..., features) -> the same shape and dtype, differentiable in x and in the parameters; in x's memory where that
  // is moved in (FakeQuantize). A scale that is not set yet is set from x: whoever trains on several ranks sees to it
  // that all of them begin with the same numbers.
  at::Tensor Quantize(at::Tensor x);

 private:
  bool has_scale_of_token() const;
  at::Tensor ScaleOfTokens(const at::Tensor& x) const;

  const QuantizerSpec spec_;
  const Ops& ops_;
  Parameter* scale_ = nullptr;  // (1, 1)
  // asq: (8, 3), (8), (1, 8), (1)
  Parameter *hidden_weight_ = nullptr, *hidden_bias_ = nullptr, *out_weight_ = nullptr, *out_bias_ = nullptr;
};

}  // namespace ridgeline
