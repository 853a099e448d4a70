// SPDX-License-Identifier: Apache-2.0
// Joules where no counter is: operations and moved bytes times what each costs by a published table. It orders models
// on one scale; it is not what any machine draws, and is never mixed with measured joules. docs/energy.md has the table
// and what the model leaves out.
#pragma once

#include <span>
#include <string_view>

#include "absl/status/statusor.h"

namespace ridgeline {

// What a frontier point says of modelled joules, where others say "rapl" or "nvml".
inline constexpr std::string_view kModelledSource = "modelled";

// A row of the table. Where the source prints one number, low, central and high are that number: this says that no
// band is known, not that there is none.
struct EnergyCoefficient {
  std::string_view name;
  double low = 0;
  double central = 0;
  double high = 0;
  std::string_view unit;  // "pJ" an operation, "pJ per 64 bits" moved.
  std::string_view source;
};

// The table; lives as long as the program.
std::span<const EnergyCoefficient> EnergyCoefficients();

// What generating one token takes. Only what is done for this token; docs/energy.md says what to count.
struct TokenWork {
  double integer_products = 0;  // Of codes, summed in whole numbers: an int8 multiply and an int32 add each.
  double float_products = 0;    // A float32 multiply and add each, whatever the type that is stored.
  double dram_bytes = 0;        // Read from and written to memory.
};

// What the machine draws whether it works or not. There is no published figure: zeros leave it out.
struct PowerAtRest {
  double watts = 0;
  double seconds = 0;  // For the token.
};

struct ModelledEnergy {
  double joules = 0;
  double low = 0;   // All coefficients at their band's low end,
  double high = 0;  // and at its high end.
};

// INVALID_ARGUMENT for counts that are negative or not finite.
absl::StatusOr<ModelledEnergy> ModelEnergy(const TokenWork& work, const PowerAtRest& rest = {});

}  // namespace ridgeline
