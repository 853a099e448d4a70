// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/sharded.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "comm/threads/thread_communicator.h"
#include "method/every_spec.h"
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

// What models of a test are made with.
struct Making {
  int64_t seed = 1;
  QuantizerSpec weight = kWeight;
  Kernels kernels = Kernels::kAuto;
  ShardedOptions sharing = {.extras = 1};
};

std::unique_ptr<Gpt> SmallGpt(const Making& making, int64_t rank, int64_t ranks) {
  ModelOptions options;
  options.weight = making.weight;
  options.kernels = making.kernels;
  options.shard_rank = rank;
  options.shard_ranks = ranks;
  return Gpt::Create({.n_layers = 2, .dim = 64, .n_heads = 2, .vocab_size = 11, .seq_len = 8}, options, making.seed)
      .value();
}

// A rank alone has all of the model.
std::unique_ptr<Strategy> StrategyOf(LanguageModel* model, const ShardedOptions& options, Communicator& all) {
  v1::Optimizer adamw = AdamwForTests();
  adamw.set_eps(1e-3);  // Or it would make whole steps of the last bits of gradients that are next to nothing.
  if (all.size() == 1) return MakeReplicated(model, adamw, {.sums = options.sums, .extras = 1}, all);
  return MakeSharded(model, adamw, options, {.all = &all, .shard = &all});
}

struct Rank {
  Rank(const Making& making, std::unique_ptr<Communicator> of_all)
      : all(std::move(of_all)),
        model(SmallGpt(making, all->rank(), all->size())),
        strategy(StrategyOf(model.get(), making.sharing, *all)) {}

  at::Tensor Tokens(int64_t step) const { return (at::arange(2 * 8).view({2, 8}) * (step + 3) + all->rank()) % 11; }
  void Step(int64_t step) {
    strategy->ClearGradients();
    const at::Tensor tokens = Tokens(step);
    AccumulateGradients(model.get(), tokens, tokens.roll(1, 1), 1.0 / 64);
    FinishStep();
  }
  void FinishStep(double learning_rate = 0.01) {
    ASSERT_TRUE(strategy->ReduceGradients().ok());
    ASSERT_TRUE(strategy->PassThroughQuantizers().ok());
    strategy->Step(learning_rate, /*gradient_scale=*/1);
  }

  std::unique_ptr<Communicator> all;
  std::unique_ptr<Gpt> model;
  std::unique_ptr<Strategy> strategy;
};

// Calls work(rank) for each of `ranks`, on a thread of its own.
void OnEachRank(int ranks, const std::function<void(Rank&)>& work, const Making& making = {}) {
  auto communicators = MakeThreadCommunicators(ranks);
  std::vector<std::thread> threads;
  for (auto& communicator : communicators)
    threads.emplace_back([&work, &making, own = std::move(communicator)]() mutable {
      Rank rank(making, std::move(own));
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
  OnEachRank(2,
             [&](Rank& rank) {
               StateInMemory source(whole);
               ASSERT_TRUE(rank.strategy->Restore(source, {2, 4}).ok());
               rank.strategy->SetSparsity({2, 4});
               const double loss = loss_after(rank);
               if (rank.all->rank() == 0) seen.push_back(loss);
             },
             {.seed = 2});
  EXPECT_EQ(seen, wanted);
}

// Of rank 0 after each step: a batch of six sequences, which pass one at a time, whoever has them.
std::vector<double> LossesOnRanks(int ranks, const Making& making) {
  std::vector<double> losses;
  OnEachRank(
      ranks,
      [&](Rank& rank) {
        const at::Tensor batch = at::arange(6 * 8).view({6, 8}).square() % 11, scored = batch.narrow(0, 0, 1);
        for (int64_t step = 0; step < 5; ++step) {
          rank.strategy->ClearGradients();
          for (int64_t i = rank.all->rank() * 6 / ranks; i < (rank.all->rank() + 1) * 6 / ranks; ++i) {
            const at::Tensor tokens = batch.narrow(0, i, 1);
            AccumulateGradients(rank.model.get(), tokens, tokens.roll(1, 1), 1.0 / 48);
            rank.strategy->EndPass();
          }
          rank.FinishStep(0.003);
          const double loss = Score(rank.model.get(), scored, scored.roll(1, 1)).loss();
          if (rank.all->rank() == 0) losses.push_back(loss);
        }
      },
      making);
  return losses;
}

void ExpectClose(const std::vector<double>& a, const std::vector<double>& b, double relative) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], relative * b[i]) << "after " << i + 1 << " steps";
}

// Those of whole attempts: where sums are float64, and where codes at a threshold may fall to the other side.
constexpr double kAnyRanksTolerance = 1e-5, kComposedCodesTolerance = 5e-3;
// A gradient's last bit may round it to the other side.
constexpr double kFewBitsTolerance = 1e-3;

TEST(ShardedTest, RanksThatShareTrainAsOneAloneWithFusedAndWithComposedOperations) {
  QuantizerSpec int4 = kWeight, tensor = kWeight, learned = kWeight, computed = kWeight;
  int4.format = Format::kInt4;
  int4.scheme = Scheme::kAffine;
  tensor.granularity = Granularity::kTensor;
  learned.estimator = "paretoq";
  learned.granularity = Granularity::kRow;
  computed.scale_precision = ScalePrecision::kComputed;  // Travels as numbers.
  for (const QuantizerSpec& weight : {QuantizerSpec(), kWeight, int4, tensor, learned, computed}) {
    SCOPED_TRACE(DescribeSpec(weight));
    const ShardedOptions sharing{.sums = GradientSums::kFloat64, .extras = 1};
    const Making fused{.weight = weight, .sharing = sharing},
        composed{.weight = weight, .kernels = Kernels::kComposed, .sharing = sharing};
    const std::vector<double> alone = LossesOnRanks(1, fused);
    EXPECT_LT(alone.back(), alone.front()) << "no training: this tests nothing";
    for (const int ranks : {2, 3}) {
      ExpectClose(LossesOnRanks(ranks, fused), alone, kAnyRanksTolerance);
      ExpectClose(LossesOnRanks(ranks, composed), alone,
                  weight.enabled() ? kComposedCodesTolerance : kAnyRanksTolerance);
    }
  }
}

TEST(ShardedTest, GradientsInFewBitsTrainAlikeWithFusedAndWithComposedOperations) {
  for (const GradientDtype dtype : {GradientDtype::kBfloat16, GradientDtype::kInt8}) {
    const ShardedOptions sharing{.gradient_dtype = dtype, .extras = 1};
    ExpectClose(LossesOnRanks(3, {.weight = {}, .kernels = Kernels::kComposed, .sharing = sharing}),
                LossesOnRanks(3, {.weight = {}, .sharing = sharing}), kFewBitsTolerance);
  }
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
