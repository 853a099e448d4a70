// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/printable_message.h"

#include <string>
#include <vector>

#include "common/printable.h"

namespace ridgeline {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void MakeTextsPrintable(const FieldDescriptor* field, Message* message) {
  const auto* reflection = message->GetReflection();
  if (!field->is_repeated()) {
    reflection->SetString(message, field, Printable(reflection->GetString(*message, field)));
    return;
  }
  for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
    reflection->SetRepeatedString(message, field, i, Printable(reflection->GetRepeatedString(*message, field, i)));
  }
}

void MakeMessagesPrintable(const FieldDescriptor* field, Message* message) {
  const auto* reflection = message->GetReflection();
  if (!field->is_repeated()) return MakePrintable(reflection->MutableMessage(message, field));
  for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
    MakePrintable(reflection->MutableRepeatedMessage(message, field, i));
  }
}

}  // namespace

void MakePrintable(Message* message) {
  std::vector<const FieldDescriptor*> fields;
  message->GetReflection()->ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) MakeTextsPrintable(field, message);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) MakeMessagesPrintable(field, message);
  }
}

}  // namespace ridgeline
