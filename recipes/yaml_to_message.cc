// SPDX-License-Identifier: Apache-2.0
// Recursive walk over YAML tree and descriptors side by side; its depth is the schema's, not the text's.
#include "recipes/yaml_to_message.h"

#include <map>

#include "fmt/format.h"
#include "recipes/scalar.h"
#include "recipes/schema.h"
#include "recipes/suggest.h"

namespace ridgeline::recipe_internal {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

class Reader {
 public:
  explicit Reader(Findings* findings) : findings_(*findings) {}

  void ReadSection(const YamlUse& use, const std::string& prefix, Message* message);

 private:
  // Calls read(name, place of the key, value) for each entry; reports duplicates and keys that are not text.
  template <typename ReadEntry>
  void ForEachEntry(const YamlNode& map, const std::string& prefix, const ReadEntry& read);
  void ReadField(const YamlUse& use, const std::string& key, Message* message, const FieldDescriptor* field);
  void ReadMap(const YamlUse& use, const std::string& key, Message* message, const FieldDescriptor* field);
  void ReadList(const YamlUse& use, const std::string& key, Message* message, const FieldDescriptor* field);
  void ReadScalars(const YamlUse& use, const std::string& key, Message* message, const FieldDescriptor* field);
  void ReadScalar(const YamlUse& use, const std::string& key, Message* message, const FieldDescriptor* field);
  void ReportUnknown(Place place, const std::string& prefix, const std::string& name, const Descriptor* at);
  void ReportBadValue(Place place, const std::string& key, std::string message, std::string remedy) {
    findings_.MarkBroken(key);
    findings_.AddAt(place, key, std::move(message), std::move(remedy));
  }
  // True if the node is of the kind; else reports what it should have been.
  bool Expect(YamlNode::Kind kind, const YamlUse& use, const std::string& key, std::string_view wanted,
              std::string remedy);

  Findings& findings_;
};

// A key as messages show it: long ones are cut, and control characters escaped.
std::string KeyText(const std::string& name) { return name.size() <= 64 && !CheckText(name) ? name : Shown(name); }

bool Reader::Expect(YamlNode::Kind kind, const YamlUse& use, const std::string& key, std::string_view wanted,
                    std::string remedy) {
  if (use.node->kind == kind) return true;
  if (use.node->kind == YamlNode::Kind::kNull) {
    ReportBadValue(use.place, key, "has no value", fmt::format("write {}, or remove the key", wanted));
  } else {
    ReportBadValue(use.place, key, fmt::format("must be {}, not {}", wanted, KindName(*use.node)), std::move(remedy));
  }
  return false;
}

template <typename ReadEntry>
void Reader::ForEachEntry(const YamlNode& map, const std::string& prefix, const ReadEntry& read) {
  std::map<std::string_view, Place> seen;
  for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
    const YamlUse& name = map.children[i];
    if (name.node->kind != YamlNode::Kind::kScalar) {
      findings_.AddAt(name.place, prefix, fmt::format("a key must be text, not {}", KindName(*name.node)),
                      "write `key: value`");
      continue;
    }
    auto [first, is_new] = seen.emplace(name.node->text, name.place);
    if (!is_new) {
      findings_.AddAt(name.place, JoinKey(prefix, KeyText(name.node->text)),
                      fmt::format("duplicate key, first set on line {}", first->second.line), "keep one of the two");
      continue;
    }
    YamlUse value = map.children[i + 1];
    // yaml-cpp puts a missing value where the next token is.
    if (value.node->kind == YamlNode::Kind::kNull) value.place = name.place;
    read(name.node->text, name.place, value);
  }
}

void Reader::ReadSection(const YamlUse& use, const std::string& prefix, Message* message) {
  const Descriptor* at = message->GetDescriptor();
  ForEachEntry(*use.node, prefix, [&](const std::string& name, Place place, const YamlUse& value) {
    const FieldDescriptor* field = at->FindFieldByName(name);
    if (field == nullptr) return ReportUnknown(place, prefix, name, at);
    std::string key = JoinKey(prefix, name);
    findings_.SetPlace(key, IsScalar(field) ? value.place : place);
    ReadField(value, key, message, field);
  });
}

void Reader::ReportUnknown(Place place, const std::string& prefix, const std::string& name, const Descriptor* at) {
  std::string key = JoinKey(prefix, KeyText(name));
  std::string message = fmt::format("unknown key {}", Shown(name));
  if (name.find('.') != std::string::npos && ResolveKey(name)) {
    size_t dot = name.rfind('.');
    return findings_.AddAt(place, key, message,
                           fmt::format("write `{}:` under `{}:`", name.substr(dot + 1), name.substr(0, dot)));
  }
  if (name == "<<") return findings_.AddAt(place, key, message, "merge keys are not supported; write the keys out");
  std::vector<std::string> meant;
  if (!findings_.Full()) meant = SuggestKeys(at, prefix, name);
  for (const std::string& guess : meant) findings_.MarkBroken(guess);
  findings_.AddAt(place, key, message, DidYouMean(meant, prefix, KeysOf(at)));
}

void Reader::ReadField(const YamlUse& use, const std::string& key, Message* message, const FieldDescriptor* field) {
  if (field->is_map()) return ReadMap(use, key, message, field);
  if (IsTextList(field)) return ReadScalars(use, key, message, field);
  if (field->is_repeated()) return ReadList(use, key, message, field);
  if (IsScalar(field)) return ReadScalar(use, key, message, field);
  // `quant:` with all its keys commented out is as good as no section.
  if (use.node->kind == YamlNode::Kind::kNull) return;
  if (!Expect(YamlNode::Kind::kMap, use, key, "a section", KeysOf(field->message_type()))) return;
  ReadSection(use, key, message->GetReflection()->MutableMessage(message, field));
}

void Reader::ReadScalar(const YamlUse& use, const std::string& key, Message* message, const FieldDescriptor* field) {
  std::string wanted = fmt::format("a single value of type {}", TypeName(field));
  if (!Expect(YamlNode::Kind::kScalar, use, key, wanted, AllowedText(DocOf(field)))) return;
  if (auto error = SetScalar(message, field, use.node->text, use.node->quoted)) {
    ReportBadValue(use.place, key, error->message, error->remedy);
  }
}

void Reader::ReadMap(const YamlUse& use, const std::string& key, Message* message, const FieldDescriptor* field) {
  if (use.node->kind == YamlNode::Kind::kNull) return;
  if (!Expect(YamlNode::Kind::kMap, use, key, "`key: value` pairs", "")) return;
  const FieldDescriptor* entry_key = field->message_type()->map_key();
  const FieldDescriptor* entry_value = field->message_type()->map_value();
  ForEachEntry(*use.node, key, [&](const std::string& name, Place place, const YamlUse& value) {
    if (auto error = CheckText(name)) return findings_.AddAt(place, key, "key " + error->message, error->remedy);
    std::string full_key = JoinKey(key, name);
    findings_.SetPlace(full_key, value.place);
    Message* entry = message->GetReflection()->AddMessage(message, field);
    entry->GetReflection()->SetString(entry, entry_key, name);
    if (IsSection(entry_value)) {
      Message* values = entry->GetReflection()->MutableMessage(entry, entry_value);
      if (value.node->kind == YamlNode::Kind::kMap) return ReadSection(value, full_key, values);
      ReadScalars(value, full_key, values, values->GetDescriptor()->field(0));
    } else {
      ReadScalar(value, full_key, entry, entry_value);
    }
  });
}

void Reader::ReadScalars(const YamlUse& use, const std::string& key, Message* message, const FieldDescriptor* field) {
  std::string remedy;
  if (use.node->kind == YamlNode::Kind::kScalar) remedy = fmt::format("write [{}]", KeyText(use.node->text));
  if (!Expect(YamlNode::Kind::kList, use, key, "a list of values", std::move(remedy))) return;
  for (size_t i = 0; i < use.node->children.size(); ++i) {
    const YamlUse& item = use.node->children[i];
    std::string item_key = fmt::format("{}[{}]", key, i);
    findings_.SetPlace(item_key, item.place);
    // A wrong item leaves an empty one, so that the others keep their numbers.
    message->GetReflection()->AddString(message, field, "");
    if (!Expect(YamlNode::Kind::kScalar, item, item_key, "a single value", "")) continue;
    if (auto error = CheckText(item.node->text)) {
      ReportBadValue(item.place, item_key, error->message, error->remedy);
    } else {
      message->GetReflection()->SetRepeatedString(message, field, static_cast<int>(i), item.node->text);
    }
  }
}

void Reader::ReadList(const YamlUse& use, const std::string& key, Message* message, const FieldDescriptor* field) {
  if (use.node->kind == YamlNode::Kind::kNull) return;
  std::string keys = KeysOf(field->message_type());
  if (!Expect(YamlNode::Kind::kList, use, key, "a list", fmt::format("start each item with '-'; {}", keys))) return;
  for (size_t i = 0; i < use.node->children.size(); ++i) {
    const YamlUse& item = use.node->children[i];
    std::string item_key = fmt::format("{}[{}]", key, i);
    findings_.SetPlace(item_key, item.place);
    Message* element = message->GetReflection()->AddMessage(message, field);
    if (!Expect(YamlNode::Kind::kMap, item, item_key, "a section", keys)) continue;
    ReadSection(item, item_key, element);
  }
}

}  // namespace

bool ReadTree(const YamlTree& tree, v1::Recipe* recipe, Findings* findings) {
  if (tree.root.node == nullptr || tree.root.node->kind == YamlNode::Kind::kNull) {
    findings->AddAt({1, 1}, "", "the recipe is empty", "it needs at least `dataset: {path: ...}`");
    return false;
  }
  findings->SetPlace("", tree.root.place);
  if (tree.root.node->kind != YamlNode::Kind::kMap) {
    findings->AddAt(tree.root.place, "",
                    fmt::format("a recipe must be `key: value` pairs, not {}", KindName(*tree.root.node)),
                    KeysOf(v1::Recipe::descriptor()));
    return false;
  }
  Reader(findings).ReadSection(tree.root, "", recipe);
  return true;
}

}  // namespace ridgeline::recipe_internal
