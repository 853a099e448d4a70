// SPDX-License-Identifier: Apache-2.0
// Gradients in each of the types that they may travel in, between ranks that add what arrives.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "comm/threads/thread_communicator.h"
#include "model/ops/ops.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/tensor_span.h"

namespace ridgeline {
namespace {

constexpr int64_t kRanks = 3, kPart = 5'003;

// Of the rank's, for all ranks.
at::Tensor GradientsOf(int rank) {
  return at::randn({kRanks * kPart}, at::detail::createCPUGenerator(static_cast<uint64_t>(rank)));
}

// What sharded training does: each rank sends each other its part, whose owner adds them.
at::Tensor SumOfParts(const Ops& ops, GradientDtype dtype, Communicator& ranks, const at::Tensor& x) {
  const int64_t bytes = WireBytes(dtype, kPart);
  const std::vector<int64_t> sizes(kRanks, bytes);
  const at::Tensor outgoing = at::empty({kRanks * bytes}, at::kByte), incoming = at::empty_like(outgoing);
  for (int64_t rank = 0; rank < kRanks; ++rank) {
    at::Tensor wire = outgoing.narrow(0, rank * bytes, bytes);
    ops.EncodeGradient(dtype, x.narrow(0, rank * kPart, kPart), static_cast<uint64_t>(ranks.rank() * kRanks + rank),
                       wire);
  }
  EXPECT_EQ(ranks.ExchangeBytes(BytesOf(outgoing), sizes, BytesOf(incoming), sizes, "gradients"), absl::OkStatus());
  at::Tensor sum = at::zeros({kPart});
  for (int64_t rank = 0; rank < kRanks; ++rank)
    ops.DecodeGradient(dtype, incoming.narrow(0, rank * bytes, bytes), Arrival::kAdds, sum);
  return sum;
}

double RelativeRmsError(const at::Tensor& exact, const at::Tensor& arrived) {
  return ((arrived - exact).square().sum() / exact.square().sum()).sqrt().item<double>();
}

TEST(GradientExchangeTest, Float32IsTheScatteredSumBitForBitAndTheOthersAreClose) {
  const auto ranks = MakeThreadCommunicators(kRanks, /*timeout_ms=*/60'000);
  std::vector<std::thread> threads;
  for (const auto& rank : ranks)
    threads.emplace_back([&rank = *rank] {
      const at::Tensor x = GradientsOf(rank.rank()), sum = at::empty({kPart});
      const std::vector<int64_t> sizes(kRanks, kPart);
      ASSERT_EQ(rank.ReduceScatterSum(SpanOf<float>(x), sizes, SpanOf<float>(sum), "sum"), absl::OkStatus());
      for (const Ops* ops : {&CpuOps(), &ComposedOps()}) {
        EXPECT_TRUE(at::equal(SumOfParts(*ops, GradientDtype::kFloat32, rank, x), sum)) << ops->name();
        EXPECT_LT(RelativeRmsError(sum, SumOfParts(*ops, GradientDtype::kBfloat16, rank, x)), 0.003) << ops->name();
        EXPECT_LT(RelativeRmsError(sum, SumOfParts(*ops, GradientDtype::kInt8, rank, x)), 0.012) << ops->name();
      }
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace ridgeline
