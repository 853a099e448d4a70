// SPDX-License-Identifier: Apache-2.0
// What the trainer, evaluation and generation need of a network: tokens to hidden states, and a head that is a matrix.
#pragma once

#include <ATen/core/Tensor.h>

#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "model/blueprint/quantizers.h"
#include "model/input_quantizer.h"
#include "model/parameter.h"
#include "model/unit_keeper.h"
#include "quant/cost/accounting.h"

namespace ridgeline {

// How a network computes, apart from its shape. Matrices of attention and MLP are quantized, and the embedding, which
// is the head, too; norms, biases and embeddings of positions are not.
struct ModelOptions {
  QuantizerSpec weight;
  QuantizerSpec activation;  // Of the inputs of the layers whose weights `weight` is for.
  EmbeddingFormat embedding;
  std::vector<std::string> skip;  // Layers whose name matches one of these patterns (*, ?) stay as they are.
  at::ScalarType compute_dtype = at::kFloat;  // float32 or bfloat16; masters are float32 always.
  at::Device device = at::kCPU;               // Where masters and all that comes of them are.
  Kernels kernels = Kernels::kAuto;           // What computes there.
  bool recompute_activations = false;         // Keeps only the input of each block for the backward pass.
  // With more ranks than one, parameters are shared by them as ShardsOf says, and this one is one of them: passes need
  // a keeper then.
  int64_t shard_rank = 0, shard_ranks = 1;
};

// What is quantized by what.
inline Quantizers QuantizersOf(const ModelOptions& options) {
  return {options.weight, options.activation, options.embedding, options.skip};
}

// The numbers that a parameter begins with. Null generator: of random ones only those with a seed of their own are set.
at::Tensor FirstMaster(const ParameterShape& shape, at::Generator* generator);

// INVALID_ARGUMENT if the specs are not defined, or rows of one of these lengths cannot be cut into their blocks.
absl::Status ValidateOptions(const ModelOptions& options, const std::vector<int64_t>& input_features);

// Keys and values of earlier positions, one pair a layer, (B, kv heads, positions, head dim). Owned by one generation.
struct KvCache {
  std::vector<at::Tensor> keys, values;
  int64_t length = 0;
};

// Owned and called by one thread. Throws c10::Error on shape errors.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;
  LanguageModel(const LanguageModel&) = delete;
  LanguageModel& operator=(const LanguageModel&) = delete;

  std::deque<Parameter>& parameters() { return parameters_; }
  const std::deque<Parameter>& parameters() const { return parameters_; }
  const ModelOptions& options() const { return options_; }
  const Ops& ops() const { return ops_; }
  int64_t vocab_size() const { return head().shape->rows(); }
  virtual int64_t max_length() const = 0;   // Longest sequence.
  virtual std::string Summary() const = 0;  // "4 layers, width 128"

  // tokens: (B, T) int64 at positions first, first + 1, ... -> (B, T, C), without a graph.
  virtual at::Tensor Embed(const at::Tensor& tokens, int64_t first_position) const = 0;
  // Adds dx, the gradient of what Embed returned for these tokens from position 0 on.
  virtual void AddEmbeddingGradient(const at::Tensor& tokens, const at::Tensor& dx) = 0;
  // x: (B, T, C) from Embed -> (B, T, C) after the last norm. With a cache, x follows its positions and joins them.
  virtual at::Tensor Hidden(const at::Tensor& x, KvCache* cache = nullptr) = 0;
  virtual int64_t block_count() const = 0;

  // Who makes the weights of shared parameters be there; null for none. Must outlive the passes.
  void set_keeper(UnitKeeper* keeper);
  // Who has which rows: ShardsOf its parameters, in their order.
  std::vector<ParameterShards> Shards() const;
  // Masters of shared parameters have been made whole: from now on they are as those of a model on one rank.
  void BecomeWhole();
  UnitKeeper* keeper() const { return keeper_; }

  // (V, C): logits = hidden @ head^T
  virtual const Parameter& head() const = 0;
  Parameter& head() { return const_cast<Parameter&>(static_cast<const LanguageModel*>(this)->head()); }

  // (B, T, V), without a graph: for tests.
  at::Tensor Logits(const at::Tensor& tokens, KvCache* cache = nullptr);
  // Logits after the last of tokens, which follow the cache and join it: (B, V) float32, without a graph. Of the others
  // none are computed.
  at::Tensor NextLogits(const at::Tensor& tokens, KvCache* cache);

  // After masters have changed: quantizes and converts each weight once.
  void RefreshCompute();

  // Weights that have noise instead of rounding in training (gaussws, diffq) are rounded from now on, as in use, or get
  // their noise again. Nothing happens to weights of other estimators.
  void SetHardRounding(bool hard);

  // Of the weights that `options().weight` is for, from now on; RefreshCompute makes it so.
  void SetSparsity(const SparsityPattern& pattern);
  // Whether inputs have scales that are set from the first numbers they see (lsq, asq).
  bool learns_input_scales() const { return options_.activation.learns_scale(); }
  // Names of the matrices that are quantized or pruned, and of those that could be.
  std::vector<std::string> QuantizedNames() const;
  std::vector<std::string> LinearNames() const;

  ModelCost Cost() const;
  // ||w_hat - w||^2 / ||w||^2 over the quantized weights; 0 without any.
  double WeightErrorRatio() const { return WeightErrors().ratio(); }
  // Both of it, of the rows that this rank has.
  struct ErrorSums {
    double error = 0, energy = 0;
    double ratio() const { return energy > 0 ? error / energy : 0; }
  };
  ErrorSums WeightErrors() const;

 protected:
  // Makes all parameters of the network's list, and those of its quantizers; random weights are set from `seed`, or not
  // set without one.
  LanguageModel(const ModelOptions& options, const ParameterList& network, std::optional<int64_t> seed);

  // Null without a parameter of the name.
  Parameter* Find(const std::string& name);
  // REQUIRES: there is one.
  Parameter* Named(const std::string& name);

  // x through the block that `run` computes, between the calls to the keeper; computed twice where options say so.
  using Segment = std::function<at::Tensor(const at::Tensor&)>;
  at::Tensor ThroughBlock(int64_t block, const Segment& run, const at::Tensor& x);

  // What layers that share an input multiply with: quantized once, and as it is for layers that are skipped.
  // Move x in, and no second copy of it is made where all of them quantize it.
  class SharedInput {
   public:
    SharedInput(at::Tensor x, std::initializer_list<const Parameter*> weights);
    const at::Tensor& For(const Parameter* weight) const { return weight->input == nullptr ? x_ : quantized_; }

   private:
    at::Tensor x_, quantized_;
  };
  // The same for the only layer that x goes to.
  static at::Tensor QuantizedInput(at::Tensor x, const Parameter* weight);

 private:
  Quantizers quantizers() const { return {options_.weight, options_.activation, options_.embedding, options_.skip}; }
  bool IsSkipped(const std::string& name) const;
  void Add(const ParameterShape& shape, const ParameterShards& shards, at::Generator* generator);
  at::Tensor ComputeOf(const Parameter& parameter) const;
  void ConnectQuantizers(Parameter* weight);

  ModelOptions options_;
  const Ops& ops_;
  ParameterList shapes_;                                             // Parameters point into it.
  std::deque<Parameter> parameters_;                                 // Layers point into it.
  std::map<std::pair<int64_t, LayerInput>, InputQuantizer> inputs_;  // Of a block. Layers' matrices point into it.
  std::vector<Parameter*> linears_;
  UnitKeeper* keeper_ = nullptr;
};

}  // namespace ridgeline
