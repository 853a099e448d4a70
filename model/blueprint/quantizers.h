// SPDX-License-Identifier: Apache-2.0
// Which parameters are quantized by what, and the parameters that quantizers add. No LibTorch. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "method/quantizer_spec.h"
#include "model/blueprint/parameter_shape.h"

namespace ridgeline {

// How the embedding, which is the head, too, is stored in few bits: whole numbers around 0 with a scale for each block
// of a row, rounded to nearest, gradients straight through but where it clamps (the weights of torchao). What the head
// multiplies is not quantized.
struct EmbeddingFormat {
  Format format = Format::kNone;
  int64_t block = 32;
};

struct Quantizers {
  QuantizerSpec weight;      // With the sparsity that a schedule reaches in the end.
  QuantizerSpec activation;  // Of the inputs of the layers whose weights `weight` is for.
  EmbeddingFormat embedding;
  std::vector<std::string> skip;  // Layers whose name matches one of these patterns (*, ?) stay as they are.
};

// Whether a name matches one of these patterns (*, ?): how layers are left out of quantization.
bool MatchesAny(const std::vector<std::string>& patterns, const std::string& name);

// Not defined (method/problems.h) for formats that are no integers of two bits and more.
QuantizerSpec QuantizerOf(const EmbeddingFormat& embedding);

// Those of a parameter: the given ones for the embedding and for a linear layer that is not skipped, none for others.
QuantizerSpec WeightQuantizerOf(const ParameterShape& parameter, const Quantizers& quantizers);
QuantizerSpec InputQuantizerOf(const ParameterShape& parameter, const Quantizers& quantizers);

// What the estimator of a layer's input learns, under names that begin with the layer's: nothing; NAME.input_scale; or
// (asq) that and the network that moves it for each token, NAME.input_beta.*.
ParameterList LearnedByInput(const std::string& layer, const QuantizerSpec& activation);

// A network's list with what its quantizers learn. It stands before the layer that it is of, so that scales are stepped
// first: NAME.scale of each weight, and what is learned of an input before the first layer that quantizes it.
ParameterList WithLearned(const ParameterList& network, const Quantizers& quantizers);

}  // namespace ridgeline
