// SPDX-License-Identifier: Apache-2.0
// Random values of a sweep's parameters. Pure functions: seed, trial and key decide a value, whatever other keys there
// are, so that a sweep with one more parameter draws the others as before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "recipes/scalar.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline::recipe_internal {

// It has bounds, in place of values.
bool IsRange(const v1::SweepValues& values);

// What is wrong with the bounds, whatever the key.
std::optional<ValueError> CheckRange(const v1::SweepValues& range);

// The value of `key` in trial 0, 1, ...: one of the list, or from the range, with four digits; whole for a key that
// takes whole numbers. REQUIRES: a list that is not empty, or a range that CheckRange finds nothing wrong with.
std::string DrawValue(const v1::SweepValues& values, const std::string& key, int64_t seed, int64_t trial);

}  // namespace ridgeline::recipe_internal
