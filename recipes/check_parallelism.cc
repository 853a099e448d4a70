// SPDX-License-Identifier: Apache-2.0
// How ranks share the model. A group may have more ranks than resources.ranks says, so only what no group can do is
// refused here; what a group cannot, its attempt says (plan/degrees.h).
#include "fmt/format.h"
#include "recipes/checks.h"

namespace ridgeline::recipe_internal {
namespace {

void CheckDegrees(const v1::Recipe& full, std::vector<Issue>* issues) {
  const v1::Parallelism& parallelism = full.parallelism();
  const int64_t shard = parallelism.shard_degree(), replicate = parallelism.replicate_degree();
  const int64_t wanted = full.resources().ranks();
  if (shard == 0 || replicate == 0 || shard * replicate >= wanted) return;
  issues->push_back({"parallelism.replicate_degree",
                     fmt::format("{} copies on {} ranks each are {} ranks, and resources.ranks asks for {} or more",
                                 replicate, shard, shard * replicate, wanted),
                     "set it to 0, which takes as many copies as there is room for",
                     {"parallelism.replicate_degree", "parallelism.shard_degree", "resources.ranks"}});
}

// Keys that say how a shared model is exchanged.
void CheckExchange(const v1::Parallelism& parallelism, std::vector<Issue>* issues) {
  if (parallelism.shard_degree() != 1) return;
  auto refuse = [&](const std::string& key, const std::string& what, const std::string& remedy) {
    issues->push_back({key,
                       fmt::format("{} is about shared blocks, and parallelism.shard_degree is 1", what),
                       fmt::format("set parallelism.shard_degree to 0 or to a number over 1, or this to {}", remedy),
                       {key, "parallelism.shard_degree"}});
  };
  if (parallelism.gradient_dtype() != "float32")
    refuse("parallelism.gradient_dtype", parallelism.gradient_dtype(), "float32");
  if (!parallelism.reshard_after_forward()) refuse("parallelism.reshard_after_forward", "false", "true");
}

}  // namespace

void CheckParallelism(const v1::Recipe& full, std::vector<Issue>* issues) {
  CheckDegrees(full, issues);
  CheckExchange(full.parallelism(), issues);
}

}  // namespace ridgeline::recipe_internal
