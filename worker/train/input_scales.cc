// SPDX-License-Identifier: Apache-2.0
#include "worker/train/input_scales.h"

#include <cstring>
#include <string>

#include "common/status_macros.h"
#include "model/training_pass.h"
#include "quant/autograd/torch_pch.h"
#include "worker/train/exceptions.h"

namespace ridgeline {
namespace {

// Calls function(bytes, count) for the master of each parameter that quantizers of inputs learn.
template <typename Function>
void ForEachLearned(LanguageModel* model, const Function& function) {
  for (Parameter& parameter : model->parameters())
    if (parameter.shape->kind == ParameterKind::kOfInput)
      function(static_cast<char*>(parameter.master.mutable_data_ptr()), parameter.master.nbytes());
}

// Empty if the pass failed: every rank then fails alike.
std::string NumbersOfRoot(LanguageModel* model, const at::Tensor& tokens, absl::Status* computed) {
  *computed = ConvertExceptions([&] {
    HiddenStates(model, tokens);
    return absl::OkStatus();
  });
  std::string bytes;
  if (computed->ok()) ForEachLearned(model, [&](const char* from, size_t count) { bytes.append(from, count); });
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
  const char* from = bytes.data();
  ForEachLearned(model, [&](char* to, size_t count) {
    std::memcpy(to, from, count);
    from += count;
  });
  return absl::OkStatus();
}

}  // namespace ridgeline
