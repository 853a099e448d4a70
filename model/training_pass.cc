// SPDX-License-Identifier: Apache-2.0
#include "model/training_pass.h"

#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// Tells the model's keeper, where it has one, of the outer unit, and of a pass that something thrown has ended.
class Passing {
 public:
  Passing(LanguageModel* model, UnitKeeper::Pass pass) : keeper_(model->keeper()) {
    if (keeper_ == nullptr) return;
    keeper_->BeginPass(pass);
    keeper_->BeforeForward(kOuterUnit);
  }
  ~Passing() {
    if (keeper_ != nullptr) keeper_->FinishPass();
  }
  Passing(const Passing&) = delete;
  Passing& operator=(const Passing&) = delete;

  void AfterForward() { Call(&UnitKeeper::AfterForward); }
  void BeforeBackward() { Call(&UnitKeeper::BeforeBackward); }
  void AfterBackward() { Call(&UnitKeeper::AfterBackward); }

 private:
  void Call(void (UnitKeeper::*function)(int64_t)) {
    if (keeper_ != nullptr) (keeper_->*function)(kOuterUnit);
  }

  UnitKeeper* const keeper_;
};

// (B * T, C), without a graph
at::Tensor HiddenRows(LanguageModel* model, const at::Tensor& tokens) {
  at::NoGradGuard no_grad;
  return model->Hidden(model->Embed(tokens, 0)).flatten(0, 1);
}

void StandIn(LanguageModel* model, UnitKeeper::Pass pass) {
  if (model->keeper() == nullptr) return;
  model->keeper()->BeginPass(pass);
  model->keeper()->FinishPass();
}

}  // namespace

HeadSums AccumulateGradients(LanguageModel* model, const at::Tensor& tokens, const at::Tensor& targets, double scale,
                             const Teacher& teacher) {
  Passing passing(model, UnitKeeper::Pass::kTraining);
  const at::Tensor x = model->Embed(tokens, 0).requires_grad_(true);  // (B, T, C)
  const at::Tensor hidden = model->Hidden(x);
  const at::Tensor expected = targets.reshape({-1});
  Distillation distillation{.weight = teacher.weight, .temperature = teacher.temperature};
  if (teacher.model != nullptr) {
    distillation.hidden = HiddenRows(teacher.model, tokens);
    distillation.head = teacher.model->head().compute;
  }
  passing.BeforeBackward();
  const HeadGradient head = BackwardThroughHead(hidden.detach().flatten(0, 1), &model->head(), expected, scale,
                                                teacher.model == nullptr ? nullptr : &distillation);
  passing.AfterForward();
  torch::autograd::backward({hidden}, {head.hidden.view_as(hidden)});
  at::NoGradGuard no_grad;
  model->AddEmbeddingGradient(tokens, x.grad());
  passing.AfterBackward();
  return head.sums;
}

void PassWithoutTokens(LanguageModel* model) { StandIn(model, UnitKeeper::Pass::kTraining); }

HeadSums Score(LanguageModel* model, const at::Tensor& tokens, const at::Tensor& targets) {
  Passing passing(model, UnitKeeper::Pass::kForward);
  HeadSums sums = ScoreHead(HiddenRows(model, tokens), model->head(), targets.reshape({-1}));
  passing.AfterForward();
  return sums;
}

void ScoreWithoutTokens(LanguageModel* model) { StandIn(model, UnitKeeper::Pass::kForward); }

at::Tensor HiddenStates(LanguageModel* model, const at::Tensor& tokens) {
  at::NoGradGuard no_grad;
  Passing passing(model, UnitKeeper::Pass::kForward);
  at::Tensor hidden = model->Hidden(model->Embed(tokens, 0));
  passing.AfterForward();
  return hidden;
}

}  // namespace ridgeline
