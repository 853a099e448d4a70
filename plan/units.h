// SPDX-License-Identifier: Apache-2.0
// What ranks that share one copy of a model hold of it and send each other, unit by unit (model/blueprint/shards.h).
// Pure functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/blueprint/shards.h"

namespace ridgeline {

// Bytes of so many numbers of a gradient on their way: parallelism.gradient_dtype's, and of int8 a float32 for each 128
// numbers beside it; a multiple of 4.
int64_t GradientWireBytes(std::string_view gradient_dtype, int64_t count);

// What of a unit belongs to one rank, as it travels.
struct UnitPart {
  int64_t gather_bytes = 0;    // Its rows, to each other rank.
  int64_t gradient_bytes = 0;  // Their gradient, from each other rank.
};

struct SharedUnit {
  int64_t unit = kOuterUnit;
  int64_t numbers = 0;          // Of its matrices.
  std::vector<UnitPart> parts;  // By rank.
  UnitPart whole;               // All of them.

  // That a rank sends, all destinations together.
  int64_t GatherSent(size_t rank) const { return (Ranks() - 1) * parts[rank].gather_bytes; }
  int64_t GradientSent(size_t rank) const { return whole.gradient_bytes - parts[rank].gradient_bytes; }
  int64_t GradientReceived(size_t rank) const { return (Ranks() - 1) * parts[rank].gradient_bytes; }
  // Of the rank that sends most.
  int64_t MostGatherSent() const;
  int64_t MostGradientSent() const;

 private:
  int64_t Ranks() const { return static_cast<int64_t>(parts.size()); }
};

// What one rank keeps of all units together.
struct RankHolding {
  int64_t numbers = 0;      // That it trains: its rows, and what is learned for them.
  int64_t learned = 0;      // Of them.
  int64_t code_bytes = 0;   // Its quantized rows, as others get them.
  int64_t saved_bytes = 0;  // What their quantizer saves for its backward pass.
};

struct SharedModel {
  std::vector<SharedUnit> units;  // The outer one, then blocks in order.
  std::vector<RankHolding> ranks;
  int64_t whole_numbers = 0;  // Of parameters that every rank holds.

  const SharedUnit& outer() const { return units.front(); }
  int64_t blocks() const { return static_cast<int64_t>(units.size()) - 1; }
  const SharedUnit& block(int64_t index) const { return units[static_cast<size_t>(index) + 1]; }
};

// How numbers travel where the quantizer leaves them as they are, and gradients.
struct WireFormat {
  int64_t number_bytes = 4;  // Of the compute dtype.
  std::string_view gradient_dtype = "float32";
};

// `parameters`: a network's list with what its quantizers learn (WithLearned). REQUIRES: ranks > 1.
SharedModel ShareOf(const ParameterList& parameters, const Quantizers& quantizers, int64_t ranks,
                    const WireFormat& wire);

}  // namespace ridgeline
