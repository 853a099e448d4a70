// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/replicated.h"

#include <gtest/gtest.h>

#include <thread>
#include <utility>
#include <vector>

#include "comm/threads/thread_communicator.h"
#include "model/gpt.h"
#include "model/training_pass.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/adamw_for_tests.h"

namespace ridgeline {
namespace {

const QuantizerSpec kWeight{.estimator = "ridge", .format = Format::kTernary, .scheme = Scheme::kLinear};

std::unique_ptr<Gpt> SmallGpt(int64_t seed) {
  ModelOptions options;
  options.weight = kWeight;
  return Gpt::Create({.n_layers = 1, .dim = 128, .n_heads = 2, .vocab_size = 11, .seq_len = 8}, options, seed).value();
}

// A rank with a strategy of its own; its model begins with the weights of `seed`.
struct Rank {
  explicit Rank(int64_t seed, std::unique_ptr<Communicator> others = MakeSingleCommunicator())
      : communicator(std::move(others)),
        model(SmallGpt(seed)),
        strategy(MakeReplicated(model.get(), AdamwForTests(), {.extras = 2}, *communicator)) {}

  // A step on the samples begin .. end - 1 of a batch that `step` decides. Returns the norm.
  double Step(int64_t step, int64_t begin, int64_t end) {
    strategy->ClearGradients();
    const at::Tensor tokens = (at::arange(4 * 8).view({4, 8}) * (step + 3) % 11).narrow(0, begin, end - begin);
    AccumulateGradients(model.get(), tokens, tokens.roll(1, 1), 1.0 / 32);
    strategy->AddToExtra(1, static_cast<float>(end - begin));
    EXPECT_TRUE(strategy->ReduceGradients().ok());
    const StepSums sums = strategy->PassThroughQuantizers().value();
    EXPECT_EQ(sums.extras[1], 4);
    strategy->Step(/*learning_rate=*/0.01, /*gradient_scale=*/1);
    return sums.gradient_norm;
  }

  std::unique_ptr<Communicator> communicator;
  std::unique_ptr<Gpt> model;
  std::unique_ptr<Strategy> strategy;
};

void ExpectSameWeights(const LanguageModel& a, const LanguageModel& b) {
  for (size_t i = 0; i < a.parameters().size(); ++i) {
    EXPECT_TRUE(at::equal(a.parameters()[i].master, b.parameters()[i].master)) << a.parameters()[i].name;
    EXPECT_TRUE(at::equal(a.parameters()[i].compute, b.parameters()[i].compute)) << a.parameters()[i].name;
  }
}

TEST(ReplicatedTest, RanksWithSharesOfABatchStayAlike) {
  auto communicators = MakeThreadCommunicators(2);
  Rank first(1, std::move(communicators[0])), second(1, std::move(communicators[1])), before(1);
  double norms[2];
  std::thread other([&] { norms[1] = second.Step(0, 3, 4); });
  norms[0] = first.Step(0, 0, 3);
  other.join();
  EXPECT_EQ(norms[0], norms[1]);
  ExpectSameWeights(*first.model, *second.model);
  EXPECT_FALSE(at::equal(first.model->head().master, before.model->head().master)) << "no step: this tests nothing";
}

TEST(ReplicatedTest, ARestoredOneGoesOnAsTheOneWhoseStateItHas) {
  Rank whole(1), resumed(2);
  whole.strategy->SetSparsity({3, 4});
  for (int64_t step : {0, 1}) whole.Step(step, 0, 4);
  StateInMemory state(whole.strategy->State());
  ASSERT_TRUE(resumed.strategy->Restore(state, {3, 4}).ok());
  ExpectSameWeights(*whole.model, *resumed.model);
  EXPECT_EQ(whole.Step(2, 0, 4), resumed.Step(2, 0, 4));
  ExpectSameWeights(*whole.model, *resumed.model);
}

TEST(ReplicatedTest, AStateThatDoesNotFitSaysWhat) {
  Rank rank(1);
  const StateInMemory whole(rank.strategy->State());
  const std::string head = rank.model->head().name;
  for (const std::string& name : {head, "optimizer.m." + head, std::string("optimizer.steps")}) {
    std::map<std::string, at::Tensor> lacks = whole.tensors(), other_shape = lacks, other_type = lacks;
    lacks.erase(name);
    other_shape[name] = at::zeros({3, 5});
    other_type[name] = other_type[name].to(at::kDouble);
    for (const auto& damaged : {lacks, other_shape, other_type}) {
      StateInMemory source(damaged);
      const absl::Status status = rank.strategy->Restore(source, {});
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
      EXPECT_NE(std::string(status.message()).find("'" + name + "'"), std::string::npos) << status;
    }
  }
}

// Share of zeros among what layers multiply with, of matrices that can be pruned.
double ShareOfZeros(const LanguageModel& model) {
  double zeros = 0, all = 0;
  for (const Parameter& parameter : model.parameters())
    if (parameter.quantizer.spec.quantizes() && parameter.name.starts_with("h.")) {
      zeros += (parameter.compute == 0).sum().item<double>();
      all += static_cast<double>(parameter.compute.numel());
    }
  return zeros / all;
}

TEST(ReplicatedTest, WeightsHaveANewPatternAtOnce) {
  Rank rank(1);
  const double dense = ShareOfZeros(*rank.model);
  rank.strategy->SetSparsity({1, 4});
  EXPECT_GE(ShareOfZeros(*rank.model), 0.75);
  EXPECT_LT(dense, 0.7);
}

}  // namespace
}  // namespace ridgeline
