// SPDX-License-Identifier: Apache-2.0
// yaml-cpp's events into a YamlTree. yaml-cpp reports errors by exceptions; they end here.
#include "recipes/yaml_tree.h"

#include <algorithm>
#include <exception>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "fmt/format.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/exceptions.h"
#include "yaml-cpp/mark.h"
#include "yaml-cpp/parser.h"

namespace ridgeline::recipe_internal {
namespace {

// A scalar counts as more nodes the longer it is, so that aliases to a long text are bounded as well.
constexpr size_t kTextBytesPerNode = 32;

Place PlaceOf(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

// yaml-cpp takes a quote that is never closed for one that ends with the file, and swallows all keys on the way.
// So a quoted text must end on its line. `text` starts at the quote.
bool QuoteEndsOnItsLine(std::string_view text) {
  char quote = text[0];
  text = text.substr(1, text.find('\n') - 1);
  if (quote == '\'') {
    size_t quotes = 0;  // In a row: two stand for one in the text.
    for (char c : text) {
      if (c != quote && quotes % 2 == 1) return true;
      quotes = c == quote ? quotes + 1 : 0;
    }
    return quotes % 2 == 1;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      return true;
    }
  }
  return false;
}

// Where a scalar starts, past the anchor and the tag that may stand before it.
size_t SkipProperties(std::string_view text, size_t at) {
  while (at < text.size() && (text[at] == '&' || text[at] == '!')) {
    at = std::min(text.find_first_of(" \t\r\n", at), text.size());
    at = std::min(text.find_first_not_of(" \t\r\n", at), text.size());
  }
  return at;
}

// Ends yaml-cpp's parse from within a handler.
struct Refusal : std::exception {
  Refusal(Place place, std::string message, std::string remedy)
      : place(place), message(std::move(message)), remedy(std::move(remedy)) {}
  Place place;
  std::string message;
  std::string remedy;
};

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, YamlTree* tree) : text_(text), tree_(tree) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    AddChild(NewNode(YamlNode::Kind::kNull, mark, anchor), PlaceOf(mark));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const YamlNode* node = anchors_.at(anchor);
    if (node->open) {
      throw Refusal(PlaceOf(mark), "the alias stands inside what it names", "write the value out");
    }
    AddChild(node, PlaceOf(mark));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    RefuseTag(mark, tag);
    YamlNode* node = NewNode(YamlNode::Kind::kScalar, mark, anchor);
    node->text = value;
    node->quoted = tag == "!";
    if (node->quoted) RefuseOpenQuote(mark);
    node->expanded_size = 1 + value.size() / kTextBytesPerNode;
    AddChild(node, node->place);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    RefuseTag(mark, tag);
    Open(NewNode(YamlNode::Kind::kList, mark, anchor));
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    RefuseTag(mark, tag);
    Open(NewNode(YamlNode::Kind::kMap, mark, anchor));
  }
  void OnMapEnd() override { Close(); }

 private:
  // yaml-cpp gives "?" for plain nodes and "!" for quoted scalars.
  static void RefuseTag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    throw Refusal(PlaceOf(mark), "the value has a YAML tag", "remove the word that starts with '!'");
  }

  void RefuseOpenQuote(const YAML::Mark& mark) const {
    size_t at = SkipProperties(text_, std::min(static_cast<size_t>(mark.pos), text_.size()));
    bool in_quotes = at < text_.size() && (text_[at] == '"' || text_[at] == '\'');
    if (!in_quotes || QuoteEndsOnItsLine(text_.substr(at))) return;
    throw Refusal(PlaceOf(mark), "the quote is not closed on its line", "close it");
  }

  YamlNode* NewNode(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (tree_->nodes.size() >= kMaxYamlNodes) RefuseSize(PlaceOf(mark));
    YamlNode& node = tree_->nodes.emplace_back();
    node.kind = kind;
    node.place = PlaceOf(mark);
    if (anchor != YAML::NullAnchor) anchors_[anchor] = &node;
    return &node;
  }

  void Open(YamlNode* node) {
    if (open_.size() >= kMaxYamlDepth) {
      throw Refusal(node->place, fmt::format("the nesting is over {} levels deep", kMaxYamlDepth),
                    "a recipe needs fewer than ten");
    }
    node->open = true;
    open_.push_back(node);
  }

  void Close() {
    YamlNode* node = open_.back();
    open_.pop_back();
    node->open = false;
    AddChild(node, node->place);
  }

  void AddChild(const YamlNode* child, Place place) {
    if (open_.empty()) {
      tree_->root = {child, place};
      return;
    }
    YamlNode* parent = open_.back();
    parent->expanded_size += child->expanded_size;
    if (parent->expanded_size > kMaxYamlNodes) RefuseSize(place);
    parent->children.push_back({child, place});
  }

  [[noreturn]] static void RefuseSize(Place place) {
    throw Refusal(place, fmt::format("the recipe holds over {} values once its aliases are expanded", kMaxYamlNodes),
                  "write fewer values or aliases");
  }

  std::string_view text_;
  YamlTree* tree_;
  std::vector<YamlNode*> open_;  // From the root to where we are.
  std::unordered_map<YAML::anchor_t, const YamlNode*> anchors_;
};

// What comes after the first document.
class SecondDocumentRefuser : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    throw Refusal(PlaceOf(mark), "a second YAML document starts here", "put each recipe into a file of its own");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// Tabs in the indentation are the error whose message helps least.
std::string SyntaxRemedy(std::string_view text, int line) {
  for (int i = 1; i < line && !text.empty(); ++i) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  std::string_view indentation = text.substr(0, text.find_first_not_of(" \t"));
  if (indentation.find('\t') != std::string_view::npos) return "indent with spaces, not tabs";
  return "check the indentation, colons, quotes and brackets here and on the line above";
}

}  // namespace

std::unique_ptr<YamlTree> ParseYaml(std::string_view text, Findings* findings) {
  auto tree = std::make_unique<YamlTree>();
  // yaml-cpp skips a byte order mark, and counts places without it.
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  try {
    std::istringstream input{std::string(text)};
    YAML::Parser parser(input);
    TreeBuilder builder(text, tree.get());
    SecondDocumentRefuser refuser;
    if (parser.HandleNextDocument(builder)) parser.HandleNextDocument(refuser);
  } catch (const Refusal& refusal) {
    findings->AddAt(refusal.place, "", refusal.message, refusal.remedy);
    return nullptr;
  } catch (const YAML::Exception& error) {
    Place place = PlaceOf(error.mark);
    findings->AddAt(place, "", fmt::format("not valid YAML: {}", error.msg), SyntaxRemedy(text, place.line));
    return nullptr;
  } catch (const std::exception& error) {
    findings->AddAt({}, "", fmt::format("not valid YAML: {}", error.what()), "");
    return nullptr;
  }
  return tree;
}

std::string_view KindName(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "a single value";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a section";
  }
  return "";
}

}  // namespace ridgeline::recipe_internal
