// SPDX-License-Identifier: Apache-2.0
#include "worker/train/input_scales.h"

#include <string>

#include "common/status_macros.h"
#include "model/training_pass.h"
#include "quant/autograd/torch_pch.h"
#include "worker/train/exceptions.h"

namespace ridgeline {
namespace {

// Calls function(master) for each parameter that quantizers of inputs learn.
template <typename Function>
void ForEachLearned(LanguageModel* model, const Function& function) {
  for (Parameter& parameter : model->parameters())
    if (parameter.shape->kind == ParameterKind::kOfInput) function(parameter.master);
}

// Empty if the pass failed: every rank then fails alike.
std::string NumbersOfRoot(LanguageModel* model, const at::Tensor& tokens, absl::Status* computed) {
  *computed = ConvertExceptions([&] {
    HiddenStates(model, tokens);
    return absl::OkStatus();
  });
  std::string bytes;
  if (!computed->ok()) return bytes;
  ForEachLearned(model, [&](const at::Tensor& master) {
    const at::Tensor numbers = master.cpu();
    bytes.append(static_cast<const char*>(numbers.const_data_ptr()), numbers.nbytes());
  });
  return bytes;
}

}  // namespace

absl::Status SetInputScales(LanguageModel* model, const at::Tensor& tokens, Communicator& communicator) {
  if (!model->learns_input_scales()) return absl::OkStatus();
  absl::Status computed;
  std::string bytes;
  if (communicator.rank() == 0)
    bytes = NumbersOfRoot(model, tokens, &computed);
  else
    ScoreWithoutTokens(model);
  RETURN_IF_ERROR(communicator.BroadcastFromRoot(&bytes, "scales of inputs"));
  RETURN_IF_ERROR(computed);
  if (bytes.empty()) return absl::AbortedError("rank 0 could not set the scales of inputs: its log says why");
  at::NoGradGuard no_grad;
  char* from = bytes.data();
  ForEachLearned(model, [&](at::Tensor& master) {
    master.copy_(at::from_blob(from, master.sizes(), at::TensorOptions(at::kFloat)));
    from += master.nbytes();
  });
  return absl::OkStatus();
}

}  // namespace ridgeline
