// SPDX-License-Identifier: Apache-2.0
// 'did you mean' for misspelt keys and values, also for the right key at the wrong level. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/descriptor.h"

namespace ridgeline::recipe_internal {

// Edits (insert, delete, replace, swap of neighbours) from one text to the other.
size_t EditDistance(std::string_view a, std::string_view b);

// The candidates nearest to `text`, at most three; none if all are too far away to be meant.
std::vector<std::string> Nearest(std::string_view text, const std::vector<std::string>& candidates);

// The same of a key's values, where a name that says more than one of them means that one (fp4_e2m1 means fp4), and
// another number the nearest number (int9 means int8).
std::vector<std::string> NearestValues(std::string_view text, const std::vector<std::string>& values);

// Dotted keys that an unknown `name` in the section `prefix` (message `at`) may stand for.
std::vector<std::string> SuggestKeys(const google::protobuf::Descriptor* at, std::string_view prefix,
                                     std::string_view name);

// "did you mean 'lambda'?" or, without suggestions, `otherwise`. Keys within the section `prefix` lose it.
std::string DidYouMean(const std::vector<std::string>& keys, std::string_view prefix, std::string otherwise);

// The remedy for an unknown dotted key from --set, a sweep or `explain`.
std::string RemedyForUnknownKey(std::string_view key);

// "its keys: lr, beta1, ..."
std::string KeysOf(const google::protobuf::Descriptor* section);

}  // namespace ridgeline::recipe_internal
