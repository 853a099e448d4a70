// SPDX-License-Identifier: Apache-2.0
// Strict parsing of integers, numbers, true/false and text.
#include "recipes/scalar.h"

#include <charconv>
#include <limits>

#include "common/printable.h"
#include "fmt/format.h"
#include "recipes/schema.h"
#include "recipes/text_guard.h"

namespace ridgeline::recipe_internal {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kShownBytes = 60;

std::string Example(const FieldDescriptor* field, std::string_view otherwise) {
  const std::string& value = DocOf(field).default_value();
  return value.empty() ? std::string(otherwise) : value;
}

bool AllDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

ValueError OutOfRange(const FieldDescriptor* field, std::string_view text) {
  return {fmt::format("{} is out of range", Shown(text)), AllowedText(DocOf(field))};
}

std::optional<ValueError> SetInteger(Message* message, const FieldDescriptor* field, std::string_view text) {
  std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (!AllDigits(digits) || (digits.size() > 1 && digits[0] == '0')) {
    return ValueError{fmt::format("{} is not an integer", Shown(text)),
                      fmt::format("write a whole number in decimal digits, like {}", Example(field, "12"))};
  }
  bool narrow = field->cpp_type() == FieldDescriptor::CPPTYPE_INT32;
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() ||
      (narrow && (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max()))) {
    return OutOfRange(field, text);
  }
  if (narrow) {
    message->GetReflection()->SetInt32(message, field, static_cast<int32_t>(value));
  } else {
    message->GetReflection()->SetInt64(message, field, value);
  }
  return std::nullopt;
}

std::optional<ValueError> SetNumber(Message* message, const FieldDescriptor* field, std::string_view text) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool only_number_characters = text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
  if (!only_number_characters || error == std::errc::invalid_argument || end != text.data() + text.size()) {
    return ValueError{fmt::format("{} is not a number", Shown(text)),
                      fmt::format("write a finite decimal number, like {}", Example(field, "0.5"))};
  }
  if (error != std::errc()) return OutOfRange(field, text);
  message->GetReflection()->SetDouble(message, field, value);
  return std::nullopt;
}

std::optional<ValueError> SetBool(Message* message, const FieldDescriptor* field, std::string_view text) {
  if (text != "true" && text != "false") {
    return ValueError{fmt::format("{} is neither true nor false", Shown(text)), "write true or false"};
  }
  message->GetReflection()->SetBool(message, field, text == "true");
  return std::nullopt;
}

}  // namespace

std::string Shown(std::string_view text) {
  std::string shown = "'";
  size_t bytes = 0;
  for (unsigned char c : text) {
    bool starts_character = (c & 0xC0) != 0x80;
    if (bytes++ >= kShownBytes && starts_character) return fmt::format("{}...' ({} bytes)", shown, text.size());
    if (c < 0x20 || c == 0x7F) {
      shown += fmt::format("\\x{:02x}", c);
    } else {
      shown += static_cast<char>(c);
    }
  }
  return shown + "'";
}

std::optional<ValueError> CheckText(std::string_view text) {
  if (text.size() > kMaxTextBytes) {
    return ValueError{fmt::format("{} is too long", Shown(text)), fmt::format("at most {} bytes", kMaxTextBytes)};
  }
  if (FindInvalidUtf8(text) != std::string_view::npos) return ValueError{"is not valid UTF-8", "write it in UTF-8"};
  for (unsigned char c : text) {
    if (c < 0x20 || c == 0x7F) {
      return ValueError{fmt::format("{} holds the control character \\x{:02x}", Shown(text), c),
                        "write it on one line, without control characters"};
    }
  }
  if (Printable(text) != text) {
    return ValueError{
        fmt::format("{} holds characters that move the cursor or turn the writing direction", Shown(Printable(text))),
        "leave out control characters and marks of writing direction"};
  }
  return std::nullopt;
}

std::optional<ValueError> SetScalar(Message* message, const FieldDescriptor* field, std::string_view text,
                                    bool quoted) {
  if (std::optional<ValueError> error = CheckText(text)) return error;
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    message->GetReflection()->SetString(message, field, std::string(text));
    return std::nullopt;
  }
  if (quoted) {
    return ValueError{fmt::format("{} is text in quotes, not of type {}", Shown(text), TypeName(field)),
                      "remove the quotes"};
  }
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return SetBool(message, field, text);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return SetNumber(message, field, text);
    default:
      return SetInteger(message, field, text);
  }
}

std::string ScalarText(const Message& message, const FieldDescriptor* field) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return fmt::format("{}", reflection.GetDouble(message, field));
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.GetString(message, field);
    case FieldDescriptor::CPPTYPE_INT32:
      return fmt::format("{}", reflection.GetInt32(message, field));
    default:
      return fmt::format("{}", reflection.GetInt64(message, field));
  }
}

}  // namespace ridgeline::recipe_internal
