// SPDX-License-Identifier: Apache-2.0
#include "model/input_quantizer.h"

#include <utility>

#include "method/estimator_traits.h"
#include "model/layers.h"
#include "quant/autograd/learned_scale.h"
#include "quant/autograd/torch_pch.h"
#include "quant/kernels/learned_scale.h"

namespace ridgeline {
namespace {

// x: (..., features) -> (tokens, 3), in units of the scale. Held still: x passes its gradient on by its codes alone.
at::Tensor TokenStatistics(const at::Tensor& x, const at::Tensor& scale) {
  const at::Tensor rows = x.detach().reshape({-1, x.size(-1)}).to(at::kFloat);
  const at::Tensor statistics = at::stack({rows.mean(1), rows.std(1, /*unbiased=*/false), rows.abs().amax(1)}, 1);
  return statistics / scale.detach().clamp_min(kSmallestLearnedScale);
}

}  // namespace

bool InputQuantizer::has_scale_of_token() const {
  const EstimatorTraits* traits = FindEstimatorTraits(spec_.estimator);
  return traits != nullptr && traits->has_scale_of_token;
}

void InputQuantizer::TakeParameters(const std::string& layer, const FindParameter& find) {
  if (!spec_.learns_scale() || scale_ != nullptr) return;
  scale_ = find(layer + ".input_scale");
  scale_->step.smallest = kSmallestLearnedScale;
  if (!has_scale_of_token()) return;
  hidden_weight_ = find(layer + ".input_beta.hidden.weight");
  hidden_bias_ = find(layer + ".input_beta.hidden.bias");
  out_weight_ = find(layer + ".input_beta.out.weight");
  out_bias_ = find(layer + ".input_beta.out.bias");
}

// docs/methods.md#lsq-paretoq-post-asq: s beta with beta = 1 + tanh(network) / 2. (tokens, 1)
at::Tensor InputQuantizer::ScaleOfTokens(const at::Tensor& x) const {
  const at::Tensor scale = AsVariable(scale_), statistics = TokenStatistics(x, scale);
  const at::Tensor hidden = at::relu(at::linear(statistics, AsVariable(hidden_weight_), AsVariable(hidden_bias_)));
  return scale * (1 + 0.5 * at::tanh(at::linear(hidden, AsVariable(out_weight_), AsVariable(out_bias_))));
}

at::Tensor InputQuantizer::Quantize(at::Tensor x) {
  if (scale_ == nullptr) return ops_.FakeQuantize(std::move(x), spec_);
  if (scale_->is_unset()) {
    QuantizerSpec of_tensor = spec_;
    of_tensor.granularity = Granularity::kTensor;
    scale_->master.copy_(InitialScale(x, of_tensor));
  }
  const at::Tensor scale = has_scale_of_token() ? ScaleOfTokens(x) : AsVariable(scale_);
  return ops_.FakeQuantizeLearned(x, scale, spec_, x.size(-1));
}

}  // namespace ridgeline
