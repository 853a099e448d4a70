// SPDX-License-Identifier: Apache-2.0
// Who holds which rows, where several ranks share one copy of a model: worker/parallel trains by it, plan/ counts by
// it. No LibTorch. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "model/blueprint/quantizers.h"

namespace ridgeline {

// The parameters that are gathered at once: those of a transformer block, or, with this number, those outside of
// blocks, which are the embedding, which is the head, too, and a GPT's embedding of positions.
inline constexpr int64_t kOuterUnit = -1;

struct RowRange {
  int64_t begin = 0;
  int64_t end = 0;

  int64_t count() const { return end - begin; }
};

// Of one parameter. Blocks of numbers that share a scale never cross ranks, since rows do not.
struct ParameterShards {
  std::vector<RowRange>
      by_rank;  // In order, together all rows; some may be empty. No ranges: every rank holds it whole.

  bool is_shared() const { return !by_rank.empty(); }
};

// In the list's order, which is a network's with what its quantizers learn (WithLearned). Matrices are cut as evenly as
// whole rows allow, and the scales that are learned for their rows with them. A matrix whose rows share a scale belongs
// to one rank, the one with the fewest numbers so far, since its quantizer needs all of it. Norms, biases and what
// quantizers of inputs learn are small, and whole on every rank; so is everything on one rank alone.
std::vector<ParameterShards> ShardsOf(const ParameterList& parameters, const Quantizers& quantizers, int64_t ranks);

// How rows of a shared parameter travel to the ranks that compute with them: as codes that decode to what the quantizer
// makes of them, bit for bit; or, where it makes none, or adds noise to what is trained, as numbers.
bool TravelsAsCodes(const QuantizerSpec& quantizer, int64_t rows, int64_t columns);

// Bytes of so many rows, 0 or more. `number_bytes`: of a number that travels as such.
int64_t GatherBytes(const QuantizerSpec& quantizer, int64_t rows, int64_t columns, int64_t number_bytes);

}  // namespace ridgeline
