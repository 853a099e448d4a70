// SPDX-License-Identifier: Apache-2.0
// Schemas are made here as a .proto would make them, and changed in one place at a time.
#include "recipes/schema_hash.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

namespace ridgeline {
namespace {

using google::protobuf::FileDescriptorProto;

constexpr char kSchema[] = R"pb(
  name: "some.proto"
  package: "p"
  syntax: "proto3"
  message_type {
    name: "Some"
    field { name: "steps" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
    field { name: "parts" number: 2 type: TYPE_MESSAGE type_name: ".p.Part" label: LABEL_REPEATED }
  }
  message_type {
    name: "Part"
    field { name: "kind" number: 1 type: TYPE_ENUM type_name: ".p.Kind" label: LABEL_OPTIONAL }
    field { name: "whole" number: 2 type: TYPE_MESSAGE type_name: ".p.Some" label: LABEL_OPTIONAL }
  }
  enum_type {
    name: "Kind"
    value { name: "NONE" number: 0 }
    value { name: "ONE" number: 1 }
  }
)pb";

// Of Some, after `change` has changed the file.
std::string HashAfter(const std::function<void(FileDescriptorProto&)>& change) {
  FileDescriptorProto file;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kSchema, &file));
  change(file);
  google::protobuf::DescriptorPool pool;
  const auto* built = pool.BuildFile(file);
  return built == nullptr ? "" : SchemaHash(*built->FindMessageTypeByName("Some"));
}

TEST(SchemaHashTest, EveryChangeThatOneSideWouldMissChangesIt) {
  const std::string before = HashAfter([](auto&) {});
  EXPECT_EQ(before.size(), 64u);
  std::set<std::string> hashes = {before};
  const std::vector<std::function<void(FileDescriptorProto&)>> changes = {
      [](auto& file) { file.mutable_message_type(0)->mutable_field(0)->set_name("step"); },
      [](auto& file) { file.mutable_message_type(0)->mutable_field(0)->set_number(3); },
      [](auto& file) {
        file.mutable_message_type(0)->mutable_field(0)->set_type(google::protobuf::FieldDescriptorProto::TYPE_INT64);
      },
      [](auto& file) {
        file.mutable_message_type(0)->mutable_field(0)->set_label(
            google::protobuf::FieldDescriptorProto::LABEL_REPEATED);
      },
      [](auto& file) { file.mutable_message_type(0)->mutable_field()->RemoveLast(); },
      [](auto& file) {  // In a message that is reached through another.
        auto* field = file.mutable_message_type(1)->add_field();
        *field = file.message_type(0).field(0);
        field->set_number(7);
      },
      [](auto& file) { file.mutable_enum_type(0)->mutable_value(1)->set_name("TWO"); }};
  for (size_t i = 0; i < changes.size(); ++i)
    EXPECT_TRUE(hashes.insert(HashAfter(changes[i])).second) << "change " << i;
}

TEST(SchemaHashTest, TheOrderInTheFileAndTypesThatNobodyReachesAreNoPartOfIt) {
  const std::string before = HashAfter([](auto&) {});
  EXPECT_EQ(HashAfter([](auto& file) { file.mutable_message_type(0)->mutable_field()->SwapElements(0, 1); }), before);
  EXPECT_EQ(HashAfter([](auto& file) { file.add_message_type()->set_name("Other"); }), before);
}

TEST(SchemaHashTest, TheRecipesIsTheSameEachTime) {
  EXPECT_EQ(RecipeSchemaHash().size(), 64u);
  EXPECT_EQ(&RecipeSchemaHash(), &RecipeSchemaHash());
}

}  // namespace
}  // namespace ridgeline
