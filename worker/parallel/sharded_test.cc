// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/sharded.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "comm/threads/thread_communicator.h"
#include "model/gpt.h"
#include "model/training_pass.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/adamw_for_tests.h"
#include "worker/parallel/pass_script.h"
#include "worker/parallel/replicated.h"

namespace ridgeline {
namespace {

const QuantizerSpec kWeight{.estimator = "ridge",
                            .format = Format::kTernary,
                            .scheme = Scheme::kLinear,
                            .scale_precision = ScalePrecision::kFloat16};

std::unique_ptr<Gpt> SmallGpt(int64_t seed, int64_t rank, int64_t ranks) {
  ModelOptions options;
  options.weight = kWeight;
  options.shard_rank = rank;
  options.shard_ranks = ranks;
  return Gpt::Create({.n_layers = 2, .dim = 64, .n_heads = 2, .vocab_size = 11, .seq_len = 8}, options, seed).value();
}

struct Rank {
  Rank(int64_t seed, std::unique_ptr<Communicator> of_all)
      : all(std::move(of_all)),
        model(SmallGpt(seed, all->rank(), all->size())),
        strategy(MakeSharded(model.get(), AdamwForTests(), {.extras = 1}, {.all = all.get(), .shard = all.get()})) {}

  at::Tensor Tokens(int64_t step) const { return (at::arange(2 * 8).view({2, 8}) * (step + 3) + all->rank()) % 11; }
  void Step(int64_t step) {
    strategy->ClearGradients();
    const at::Tensor tokens = Tokens(step);
    AccumulateGradients(model.get(), tokens, tokens.roll(1, 1), 1.0 / 64);
    FinishStep();
  }
  void FinishStep() {
    ASSERT_TRUE(strategy->ReduceGradients().ok());
    ASSERT_TRUE(strategy->PassThroughQuantizers().ok());
    strategy->Step(/*learning_rate=*/0.01, /*gradient_scale=*/1);
  }

  std::unique_ptr<Communicator> all;
  std::unique_ptr<Gpt> model;
  std::unique_ptr<Strategy> strategy;
};

// Calls work(rank) for each of `ranks`, on a thread of its own.
void OnEachRank(int ranks, const std::function<void(Rank&)>& work, int64_t seed = 1) {
  auto communicators = MakeThreadCommunicators(ranks);
  std::vector<std::thread> threads;
  for (auto& communicator : communicators)
    threads.emplace_back([&work, seed, own = std::move(communicator)]() mutable {
      Rank rank(seed, std::move(own));
      work(rank);
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(ShardedTest, NothingIsWholeOutsideOfPasses) {
  OnEachRank(3, [](Rank& rank) {
    rank.Step(0);
    for (const Parameter& parameter : rank.model->parameters()) {
      if (!parameter.sharing.is_shared) continue;
      EXPECT_FALSE(parameter.compute.defined()) << parameter.name;
      EXPECT_EQ(parameter.gradient.sum.size(0), parameter.sharing.own_rows.count()) << parameter.name;
    }
  });
}

TEST(ShardedTest, ARankThatFailsWithinAPassLetsItsPeersEndTheirs) {
  OnEachRank(3, [](Rank& rank) {
    rank.strategy->ClearGradients();
    at::Tensor tokens = rank.Tokens(0);
    const bool fails = rank.all->rank() == 1;
    if (fails) tokens = at::full_like(tokens, 99);  // No such token.
    if (fails)
      EXPECT_ANY_THROW(AccumulateGradients(rank.model.get(), tokens, tokens, 1));
    else
      AccumulateGradients(rank.model.get(), tokens, tokens, 1);
    rank.strategy->AddToExtra(0, fails ? 1.0f : 0.0f);
    ASSERT_TRUE(rank.strategy->ReduceGradients().ok());
    EXPECT_EQ(rank.strategy->PassThroughQuantizers().value().extras[0], 1) << "all know that one has failed";
    rank.Step(1);  // And could go on.
  });
}

TEST(ShardedTest, ARankWithoutTokensTakesPart) {
  OnEachRank(3, [](Rank& rank) {
    rank.strategy->ClearGradients();
    const at::Tensor tokens = rank.Tokens(0);
    if (rank.all->rank() == 0)
      AccumulateGradients(rank.model.get(), tokens, tokens, 1);
    else
      PassWithoutTokens(rank.model.get());
    rank.FinishStep();
    if (rank.all->rank() == 0)
      Score(rank.model.get(), tokens, tokens);
    else
      ScoreWithoutTokens(rank.model.get());
  });
}

TEST(ShardedTest, TheStateOfAllRanksIsEachRowOnceAndOthersGoOnFromIt) {
  std::vector<StateShard> shards;
  std::mutex mutex;
  std::vector<double> wanted, seen;
  auto loss_after = [](Rank& rank) {
    rank.Step(2);
    const at::Tensor tokens = at::arange(8).view({1, 8});
    return Score(rank.model.get(), tokens, tokens).loss();
  };
  OnEachRank(2, [&](Rank& rank) {
    rank.strategy->SetSparsity({2, 4});
    for (int64_t step : {0, 1}) rank.Step(step);
    {
      const std::lock_guard lock(mutex);
      for (StateShard shard : rank.strategy->State()) {
        shard.rows = shard.rows.clone();
        shards.push_back(shard);
      }
    }
    const double loss = loss_after(rank);
    if (rank.all->rank() == 0) wanted.push_back(loss);
  });
  const std::map<std::string, at::Tensor> whole = StateInMemory(shards).tensors();
  for (const StateShard& shard : shards) EXPECT_EQ(whole.at(shard.name).sizes(), at::IntArrayRef(shard.sizes));
  OnEachRank(
      2,
      [&](Rank& rank) {
        StateInMemory source(whole);
        ASSERT_TRUE(rank.strategy->Restore(source, {2, 4}).ok());
        rank.strategy->SetSparsity({2, 4});
        const double loss = loss_after(rank);
        if (rank.all->rank() == 0) seen.push_back(loss);
      },
      /*seed=*/2);
  EXPECT_EQ(seen, wanted);
}

TEST(ShardedTest, TheRootGetsTheModelWhole) {
  OnEachRank(3, [](Rank& rank) {
    const at::Tensor tokens = at::arange(8).view({1, 8});
    rank.Step(0);
    const double shared = Score(rank.model.get(), tokens, tokens).loss();
    const absl::StatusOr<double> ratio = rank.strategy->WeightErrorRatio();
    ASSERT_TRUE(ratio.ok());
    ASSERT_TRUE(rank.strategy->AssembleOnRoot().ok());
    rank.strategy.reset();
    if (rank.all->rank() != 0) return;
    EXPECT_EQ(Score(rank.model.get(), tokens, tokens).loss(), shared);
    EXPECT_NEAR(rank.model->WeightErrorRatio(), *ratio, 1e-8);
  });
}

TEST(PassScriptTest, IsWhatPassesCall) {
  struct Listener : UnitKeeper {
    using Kind = PassCall::Kind;
    void BeginPass(Pass) override { calls.clear(); }
    void BeforeForward(int64_t unit) override { calls.push_back({Kind::kBeforeForward, unit}); }
    void AfterForward(int64_t unit) override { calls.push_back({Kind::kAfterForward, unit}); }
    void BeforeBackward(int64_t unit) override { calls.push_back({Kind::kBeforeBackward, unit}); }
    void AfterBackward(int64_t unit) override { calls.push_back({Kind::kAfterBackward, unit}); }
    void Proceed() override {}
    void FinishPass() override {}
    std::vector<PassCall> calls;
  };
  for (const bool recomputes : {false, true}) {
    ModelOptions options;
    options.recompute_activations = recomputes;
    const std::unique_ptr<Gpt> model =
        Gpt::Create({.n_layers = 3, .dim = 16, .n_heads = 2, .vocab_size = 11, .seq_len = 8}, options, 1).value();
    for (Parameter& parameter : model->parameters()) parameter.gradient.sum = at::zeros_like(parameter.master);
    Listener listener;
    model->set_keeper(&listener);
    const at::Tensor tokens = at::arange(8).view({1, 8});
    AccumulateGradients(model.get(), tokens, tokens, 1);
    EXPECT_EQ(listener.calls, ScriptOf(UnitKeeper::Pass::kTraining, 3));
    Score(model.get(), tokens, tokens);
    EXPECT_EQ(listener.calls, ScriptOf(UnitKeeper::Pass::kForward, 3));
  }
}

}  // namespace
}  // namespace ridgeline
