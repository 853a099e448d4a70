// SPDX-License-Identifier: Apache-2.0
// A recipe key that no program reads is a promise without code. Every field of recipe.proto is looked for in the
// sources: its accessor, called on its section, outside of what treats all keys alike (reading, defaults, validation,
// explaining).
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// Rooms whose programs act on what a recipe says.
constexpr const char* kRooms[] = {"worker", "plan", "coordinator", "cli", "recipes"};

// Of recipes/, the files that say what a key means to the programs; all others treat keys alike.
constexpr const char* kReadersInRecipes[] = {"model_shapes", "tensor_quant", "sweep", "sweep_plan"};

struct Key {
  std::string name;  // "sparsity.schedule"
  const FieldDescriptor* field = nullptr;
};

// All keys below a message. A key that two sections share (quant.weight.format, quant.activation.format) is one field.
void Collect(const Descriptor* message, const std::string& prefix, std::vector<Key>* keys) {
  for (int i = 0; i < message->field_count(); ++i) {
    const FieldDescriptor* field = message->field(i);
    const std::string name = prefix.empty() ? field->name() : prefix + "." + field->name();
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_map())
      Collect(field->message_type(), name, keys);
    else
      keys->push_back({name, field});
  }
}

// C++ calls the field `export` export_.
std::string Accessor(const std::string& field) { return field == "export" ? "export_" : field; }

// Accessors that lead to a section or an element of it: "training()", "export_()".
std::vector<std::string> AccessorsOf(const Descriptor* section) {
  std::vector<std::string> names;
  for (int m = 0; m < section->file()->message_type_count(); ++m) {
    const Descriptor* message = section->file()->message_type(m);
    for (int i = 0; i < message->field_count(); ++i) {
      const FieldDescriptor* field = message->field(i);
      const Descriptor* type =
          field->is_map() ? field->message_type()->map_value()->message_type() : field->message_type();
      if (type == section) names.push_back(Accessor(field->name()));
    }
  }
  if (section == v1::Recipe::descriptor()) names.push_back("recipe");
  return names;
}

// Variables of the section's type, and names that a loop over a map gives its elements.
std::vector<std::string> VariablesOf(const Descriptor* section, const std::string& text) {
  std::string declaration = fmt::format(R"(v1::{}\b\s*[&*]?\s*(\w+))", section->name());
  for (const std::string& accessor : AccessorsOf(section))
    declaration += fmt::format(R"(|\[\w+, (\w+)\] : [\w.]+\b{}\(\))", accessor);
  std::vector<std::string> names;
  const std::regex pattern(declaration);
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match)
    for (size_t group = 1; group < match->size(); ++group)
      if ((*match)[group].matched) names.push_back((*match)[group].str());
  return names;
}

// Whether the text calls the key's accessor on its section: on an accessor that leads there, or on a variable of it.
bool Reads(const std::string& text, const Key& key) {
  const Descriptor* section = key.field->containing_type();
  std::vector<std::string> holders;
  for (const std::string& accessor : AccessorsOf(section)) holders.push_back(accessor + R"(\(\))");
  for (const std::string& variable : VariablesOf(section, text)) holders.push_back(variable + R"((\[[^\]]*\])?)");
  return std::regex_search(text, std::regex(fmt::format(R"(\b({})\s*(\.|->)\s*(has_)?{}\()", fmt::join(holders, "|"),
                                                        Accessor(key.field->name()))));
}

bool IsRead(const Key& key, const std::map<std::string, std::string>& sources) {
  return std::any_of(sources.begin(), sources.end(), [&](const auto& source) { return Reads(source.second, key); });
}

bool IsReader(const fs::path& path, const std::string& room) {
  const std::string name = path.filename().string();
  if ((path.extension() != ".cc" && path.extension() != ".h") || name.ends_with("_test.cc")) return false;
  return room != "recipes" || std::find(std::begin(kReadersInRecipes), std::end(kReadersInRecipes),
                                        path.stem().string()) != std::end(kReadersInRecipes);
}

// A source file with its header, by their common name.
std::map<std::string, std::string> ReadSources() {
  std::map<std::string, std::string> sources;
  for (const char* room : kRooms)
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(fs::path(RIDGELINE_SOURCE_DIR) / room)) {
      if (!IsReader(entry.path(), room)) continue;
      std::ostringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      sources[fs::path(entry.path()).replace_extension().string()] += text.str();
    }
  return sources;
}

TEST(RecipeKeysTest, AProgramReadsEveryKey) {
  std::vector<Key> keys;
  Collect(v1::Recipe::descriptor(), "", &keys);
  ASSERT_GT(keys.size(), 60u);
  const std::map<std::string, std::string> sources = ReadSources();
  ASSERT_GT(sources.size(), 50u);
  // Why a key may be missing from the sources.
  const std::map<std::string, std::string> excused = {
      {"optimizer.name", "adamw is its only value, which the validator holds it to"}};
  for (const Key& key : keys) {
    const bool read = IsRead(key, sources);
    if (excused.contains(key.name))
      EXPECT_FALSE(read) << key.name << " is read now: take it off the list of excuses";
    else
      EXPECT_TRUE(read) << key.name << " is in the schema, but no program reads it";
  }
}

// The search can tell: a key that nothing reads, in a section that is read.
TEST(RecipeKeysTest, AKeyThatNoProgramReadsWouldBeFound) {
  const FieldDescriptor* weights = v1::Export::descriptor()->FindFieldByName("weights");
  ASSERT_NE(weights, nullptr);
  const Key key{"export.weights", weights};
  EXPECT_TRUE(IsRead(key, {{"a", "if (recipe.export_().weights() == \"safetensors\")"}}));
  EXPECT_TRUE(IsRead(key, {{"a", "const v1::Export& wanted = recipe.export_(); if (wanted.has_weights())"}}));
  EXPECT_FALSE(IsRead(key, {{"a", "decisive.clear_export_(); files.weights->tensors();"}}));
  EXPECT_FALSE(IsRead(key, {{"a", "recipe.export_().frontier(); model.weights()"}, {"b", "model.weights()"}}));
  EXPECT_FALSE(IsRead(key, {{"a", "recipe.mutable_export_()->set_weights(\"none\")"}}));
}

}  // namespace
}  // namespace ridgeline
