// SPDX-License-Identifier: Apache-2.0
// A recipe message as YAML, through the descriptors and yaml-cpp's emitter.
#include <map>

#include "recipes/recipe_reader.h"
#include "recipes/scalar.h"
#include "recipes/schema.h"
#include "yaml-cpp/emitter.h"

namespace ridgeline {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Text that every YAML reader takes for text. Quoted otherwise, also where our own reader would not mind.
bool IsPlainText(const std::string& text) {
  static constexpr std::string_view kStart = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_/";
  static constexpr std::string_view kRest = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_/0123456789.-=+";
  static constexpr std::string_view kSpecial[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
  if (text.empty() || kStart.find(text[0]) == std::string_view::npos) return false;
  if (text.find_first_not_of(kRest) != std::string::npos) return false;
  std::string lower = text;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (std::string_view special : kSpecial) {
    if (lower == special) return false;
  }
  return true;
}

// A sweep's values are texts that stand for numbers as well.
bool IsPlainValue(const std::string& text) {
  bool number = !text.empty() && text.find_first_of("0123456789") != std::string::npos &&
                text.find_first_not_of("0123456789.eE+-") == std::string::npos;
  bool starts_safely = number && (text[0] != '-' || (text.size() > 1 && text[1] != '-'));
  return starts_safely || text == "true" || text == "false" || IsPlainText(text);
}

class Writer {
 public:
  std::string Write(const v1::Recipe& recipe) {
    out_.SetIndent(2);
    WriteSection(recipe);
    return std::string(out_.c_str()) + "\n";
  }

 private:
  void WriteText(const std::string& text, bool plain) {
    if (!plain) out_ << YAML::DoubleQuoted;
    out_ << text;
  }

  void WriteSection(const Message& message) {
    const Reflection& reflection = *message.GetReflection();
    out_ << YAML::BeginMap;
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor* field = message.GetDescriptor()->field(i);
      bool present =
          field->is_repeated() ? reflection.FieldSize(message, field) > 0 : reflection.HasField(message, field);
      if (!present) continue;
      out_ << YAML::Key << field->name() << YAML::Value;
      WriteField(message, field);
    }
    out_ << YAML::EndMap;
  }

  void WriteField(const Message& message, const FieldDescriptor* field) {
    const Reflection& reflection = *message.GetReflection();
    if (field->is_map()) return WriteMap(message, field);
    if (recipe_internal::IsTextList(field)) return WriteTexts(message, field, IsPlainText);
    if (field->is_repeated()) {
      out_ << YAML::BeginSeq;
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        WriteSection(reflection.GetRepeatedMessage(message, field, i));
      }
      out_ << YAML::EndSeq;
    } else if (recipe_internal::IsSection(field)) {
      WriteSection(reflection.GetMessage(message, field));
    } else {
      std::string text = recipe_internal::ScalarText(message, field);
      WriteText(text, field->cpp_type() != FieldDescriptor::CPPTYPE_STRING || IsPlainText(text));
    }
  }

  // Sorted, since a protobuf map has no order.
  void WriteMap(const Message& message, const FieldDescriptor* field) {
    std::map<std::string, const Message*> entries;
    for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
      const Message& entry = message.GetReflection()->GetRepeatedMessage(message, field, i);
      entries[entry.GetReflection()->GetString(entry, field->message_type()->map_key())] = &entry;
    }
    const FieldDescriptor* value = field->message_type()->map_value();
    // Labels are free text; the values of `set` go into fields of any type.
    bool any_type = field->containing_type() != v1::Recipe::descriptor();
    out_ << YAML::BeginMap;
    for (const auto& [key, entry] : entries) {
      out_ << YAML::Key;
      WriteText(key, IsPlainText(key));
      out_ << YAML::Value;
      if (recipe_internal::IsSection(value)) {
        WriteSweepValues(entry->GetReflection()->GetMessage(*entry, value));
      } else {
        std::string text = entry->GetReflection()->GetString(*entry, value);
        WriteText(text, any_type ? IsPlainValue(text) : IsPlainText(text));
      }
    }
    out_ << YAML::EndMap;
  }

  // A plain list in YAML, unless they are a range.
  void WriteSweepValues(const Message& values) {
    const FieldDescriptor* list = values.GetDescriptor()->field(0);
    if (values.GetReflection()->FieldSize(values, list) > 0) return WriteTexts(values, list, IsPlainValue);
    WriteSection(values);
  }

  void WriteTexts(const Message& message, const FieldDescriptor* field, bool (*is_plain)(const std::string&)) {
    out_ << YAML::Flow << YAML::BeginSeq;
    for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
      std::string text = message.GetReflection()->GetRepeatedString(message, field, i);
      WriteText(text, is_plain(text));
    }
    out_ << YAML::EndSeq;
  }

  YAML::Emitter out_;
};

}  // namespace

std::string RecipeToYaml(const v1::Recipe& recipe) { return Writer().Write(recipe); }

}  // namespace ridgeline
