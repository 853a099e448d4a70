// SPDX-License-Identifier: Apache-2.0
// What people name in place of a model is told by its first bytes, by every reader, in one form.
#include "weights/file_kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "common/file.h"
#include "weights/gguf.h"
#include "weights/json.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kLfsPointer[] =
    "version https://git-lfs.github.com/spec/v1\noid "
    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nsize 241410208\n";

struct Foreign {
  std::string head;
  const char* what;
  bool may_be_text = false;
};

std::vector<Foreign> Foreigners() {
  return {{"", "an empty file"},
          {kLfsPointer, "a Git LFS pointer"},
          {"<!DOCTYPE html>\n<html>", "an HTML page", true},
          {"\xEF\xBB\xBF \n<HTML lang='en'>", "an HTML page", true},
          {"<?xml version='1.0'?><Error>", "an XML text", true},
          {"Invalid username or password.", "a server's answer", true},
          {"{\"error\":\"Entry not found\"}", "a server's answer", true},
          {" \n\n", "blank", true},
          {"lmgg\x00\x00\x00", "before GGUF"},
          {"fmgg\x01", "before GGUF"},
          {"tjgg\x03", "before GGUF"},
          {"ggjt\x03", "before GGUF", true},
          {"algg\x01", "adapter"},
          {"PK\x03\x04\x14", "a zip archive"},
          {"\x80\x02\x8A\x0A", "a Python pickle"},
          {"\x1F\x8B\x08", "gzip"},
          {"BZh91AY&SY", "bzip2"},
          {std::string("\xFD"
                       "7zXZ\0",
                       6),
           "xz"},
          {"\x28\xB5\x2F\xFD", "zstd"},
          {std::string(257, 'n') + "ustar", "a tar archive"},
          {"\x89HDF\r\n\x1A\n", "HDF5"},
          {"\x93NUMPY", "NumPy"},
          {std::string("\x1C\0\0\0TFL3", 8), "TensorFlow Lite"},
          {"%PDF-1.7", "a PDF"},
          {"\x7F"
           "ELF",
           "a program"},
          {"\xFF\xFE{\0", "UTF-16"},
          {std::string(64, '\0'), "zeros"}};
}

TEST(FileKindTest, EveryKnownStrangerIsNamedWithWhatToDo) {
  for (const Foreign& foreign : Foreigners()) {
    for (FileKind wanted :
         {FileKind::kGguf, FileKind::kSafetensors, FileKind::kJson, FileKind::kTokenizer, FileKind::kText}) {
      const absl::Status status = CheckFileKind(foreign.head, "some/file", wanted);
      if (wanted == FileKind::kText && foreign.may_be_text) {
        EXPECT_TRUE(status.ok()) << status;
        continue;
      }
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << foreign.what;
      EXPECT_THAT(std::string(status.message()),
                  AllOf(StartsWith("some/file: this is "), HasSubstr(foreign.what), HasSubstr("; ")));
    }
  }
}

TEST(FileKindTest, TheFormatsAreToldApart) {
  const std::string gguf("GGUF\3\0\0\0", 8), safetensors("\x10\0\0\0\0\0\0\0{\"a\":{}}", 16);
  EXPECT_TRUE(CheckFileKind(gguf, "f", FileKind::kGguf).ok());
  EXPECT_TRUE(CheckFileKind(gguf, "f", FileKind::kTokenizer).ok());
  EXPECT_TRUE(CheckFileKind(safetensors, "f", FileKind::kSafetensors).ok());
  EXPECT_THAT(std::string(CheckFileKind(gguf, "f", FileKind::kSafetensors).message()), HasSubstr("a GGUF file"));
  EXPECT_THAT(std::string(CheckFileKind(safetensors, "f", FileKind::kGguf).message()), HasSubstr("a safetensors file"));
  EXPECT_THAT(std::string(CheckFileKind(safetensors, "f", FileKind::kText).message()), HasSubstr("a safetensors file"));
}

TEST(FileKindTest, WhatIsWantedPasses) {
  EXPECT_TRUE(CheckFileKind("{\"a\": 1}", "f", FileKind::kJson).ok());
  EXPECT_TRUE(CheckFileKind("\n\x0B\n\x05<unk>", "f", FileKind::kTokenizer).ok());
  for (const char* text : {"ggml is a library", "PARTS of speech", "{\"error\": 1}", "<p>", "In the beginning"})
    EXPECT_TRUE(CheckFileKind(text, "f", FileKind::kText).ok()) << text;
}

// The readers look before they parse.
TEST(FileKindTest, EveryReaderOfTheRoomLooks) {
  const fs::path folder = fs::temp_directory_path() / ("ridgeline_kind_" + std::to_string(::getpid()));
  for (const char* name : {"lfs.gguf", "lfs.safetensors", "lfs.safetensors.index.json", "lfs.json"})
    ASSERT_TRUE(WriteFileAtomically((folder / name).string(), kLfsPointer).ok());
  for (const absl::Status& status : {OpenGguf((folder / "lfs.gguf").string()).status(),
                                     OpenSafetensors((folder / "lfs.safetensors").string()).status(),
                                     OpenSafetensors((folder / "lfs.safetensors.index.json").string()).status(),
                                     ReadJsonFile((folder / "lfs.json").string()).status()})
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("a Git LFS pointer"), HasSubstr("git lfs pull")));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace ridgeline
