// SPDX-License-Identifier: Apache-2.0
#include "recipes/schema_hash.h"

#include <algorithm>
#include <set>
#include <vector>

#include "common/sha256.h"
#include "fmt/format.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

// Writes down a schema, each type once.
class SchemaText {
 public:
  void Add(const Descriptor& message) {
    if (!seen_.insert(message.full_name()).second) return;
    std::vector<const FieldDescriptor*> fields;
    for (int i = 0; i < message.field_count(); ++i) fields.push_back(message.field(i));
    std::sort(fields.begin(), fields.end(), [](const auto* a, const auto* b) { return a->number() < b->number(); });
    text_ += fmt::format("message {}\n", message.full_name());
    for (const FieldDescriptor* field : fields) AddLine(*field);
    for (const FieldDescriptor* field : fields) AddTypeOf(*field);
  }

  const std::string& text() const { return text_; }

 private:
  void AddLine(const FieldDescriptor& field) {
    text_ += fmt::format("{} {} {} {}{}\n", field.number(), field.name(), field.type_name(),
                         field.is_map()        ? "map "
                         : field.is_repeated() ? "repeated "
                                               : "",
                         field.message_type() != nullptr ? field.message_type()->full_name()
                         : field.enum_type() != nullptr  ? field.enum_type()->full_name()
                                                         : "");
  }
  void AddTypeOf(const FieldDescriptor& field) {
    if (field.message_type() != nullptr) Add(*field.message_type());
    if (field.enum_type() != nullptr) Add(*field.enum_type());
  }
  void Add(const EnumDescriptor& values) {
    if (!seen_.insert(values.full_name()).second) return;
    text_ += fmt::format("enum {}\n", values.full_name());
    std::set<std::pair<int, std::string>> sorted;
    for (int i = 0; i < values.value_count(); ++i) sorted.emplace(values.value(i)->number(), values.value(i)->name());
    for (const auto& [number, name] : sorted) text_ += fmt::format("{} {}\n", number, name);
  }

  std::set<std::string> seen_;
  std::string text_;
};

}  // namespace

std::string SchemaHash(const Descriptor& message) {
  SchemaText schema;
  schema.Add(message);
  return Sha256Hex(schema.text());
}

const std::string& RecipeSchemaHash() {
  static const std::string* const hash = new std::string(SchemaHash(*v1::Recipe::descriptor()));
  return *hash;
}

}  // namespace ridgeline
