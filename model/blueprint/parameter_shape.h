// SPDX-License-Identifier: Apache-2.0
// One trained tensor of a network, before there is one: the row of a network's parameter list. No LibTorch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ridgeline {

// Linear layers of attention and MLP may be quantized. The embedding turns tokens into features, and is the head, too;
// GPTs have one of positions beside it. Vectors are norms and biases. The other two belong to quantizers that learn:
// the scale of a linear layer's weight, and what quantizes its input.
enum class ParameterKind { kLinear, kEmbedding, kPositions, kVector, kWeightScale, kOfInput };

// What a linear layer multiplies: what enters attention, what attention mixed, what enters the MLP, and what its
// activation function returns. Linear layers of one block with the same input share its quantizer.
enum class LayerInput { kNone, kAttention, kMixed, kMlp, kInner };

// N(mean, stddev) from the network's generator, or from one of its own; all `mean` where stddev is 0.
struct FirstValues {
  double mean = 0;
  double stddev = 0;
  std::optional<uint64_t> own_seed;
};

// What a file of others calls a parameter, and how it stores it. The name is empty where no such file has it.
struct StoredName {
  std::string name;
  bool is_transposed = false;  // GPT-2's matrices are stored (in, out).
  bool has_one_added = false;  // GGUF stores Gemma's norm weights with the one already added.
};

struct ParameterShape {
  std::string name;  // In checkpoints too: Hugging Face's, or nanoGPT's for a GPT.
  ParameterKind kind = ParameterKind::kVector;
  std::vector<int64_t> sizes;  // (rows, columns), or (rows)
  FirstValues first_values;
  int64_t block = -1;  // Transformer block; -1: before or after all of them.
  LayerInput input = LayerInput::kNone;
  StoredName hugging_face, gguf;

  int64_t rows() const { return sizes[0]; }
  int64_t columns() const { return sizes.size() > 1 ? sizes[1] : 1; }
  int64_t elements() const { return rows() * columns(); }
  // Matrices of the network itself; norms, biases and what quantizers learn are none.
  bool is_weight_matrix() const {
    return kind == ParameterKind::kLinear || kind == ParameterKind::kEmbedding || kind == ParameterKind::kPositions;
  }
  bool of_quantizer() const { return kind == ParameterKind::kWeightScale || kind == ParameterKind::kOfInput; }
};

// In the order in which networks hold them, checkpoints write them and random weights are drawn.
using ParameterList = std::vector<ParameterShape>;

}  // namespace ridgeline
