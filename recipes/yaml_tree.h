// SPDX-License-Identifier: Apache-2.0
// YAML text as a tree with places. Built from yaml-cpp's events rather than its nodes, so that duplicate keys,
// quotes and places survive, and so that parsing stops as soon as a document gets too large or too deep.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "recipes/findings.h"

namespace ridgeline::recipe_internal {

struct YamlNode;

// A node where it is used: an alias stands elsewhere than the node that it names.
struct YamlUse {
  const YamlNode* node = nullptr;
  Place place;
};

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  Place place;
  std::string text;               // Of a scalar.
  bool quoted = false;            // The scalar stood in quotes or is a block scalar.
  std::vector<YamlUse> children;  // A map's keys and values take turns.
  size_t expanded_size = 1;       // Nodes below and including this one, aliases counted each time.
  bool open = false;              // Still being parsed: an alias to it would be a cycle.
};

// Owns the nodes of one document.
struct YamlTree {
  std::deque<YamlNode> nodes;
  YamlUse root;
};

inline constexpr size_t kMaxYamlNodes = 100'000;
inline constexpr size_t kMaxYamlDepth = 64;

// Nothing after a syntax error, a second document, a tag, a cycle, a quote that is still open at the end of its
// line, or a limit; the reason is then in findings.
// Takes time linear in the text. Never throws.
std::unique_ptr<YamlTree> ParseYaml(std::string_view text, Findings* findings);

// "text", "a list", "a section", "nothing": for messages.
std::string_view KindName(const YamlNode& node);

}  // namespace ridgeline::recipe_internal
