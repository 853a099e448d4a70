// SPDX-License-Identifier: Apache-2.0
// Text as people have it: which files are meant, and what documents are in them.
#include "data/text_documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/file.h"
#include "data/dataset.h"
#include "data/text_inputs.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

class TextDocumentsTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  std::string Write(const std::string& name, const std::string& content) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return Path(name);
  }
  // By the program of that name.
  std::string Compress(const std::string& name, const std::string& program, const std::string& ending) {
    EXPECT_EQ(std::system((program + " -k -q " + Path(name)).c_str()), 0);
    return Path(name) + ending;
  }
  static std::vector<std::string> Texts(const std::string& path, const DocumentOptions& options = {}) {
    const auto documents = ReadDocuments(path, options);
    EXPECT_TRUE(documents.ok()) << documents.status();
    return documents.ok() ? documents->texts : std::vector<std::string>();
  }
  static std::string Error(const std::string& path, const DocumentOptions& options = {}) {
    return MessageOf(ReadDocuments(path, options).status());
  }

  const fs::path folder_ = fs::temp_directory_path() / ("text_documents_test_" + std::to_string(getpid()));
};

TEST_F(TextDocumentsTest, PlainTextIsOneDocumentAndJsonLinesOneALine) {
  EXPECT_THAT(Texts(Write("a.txt", "one\ntwo\n")), ElementsAre("one\ntwo\n"));
  EXPECT_THAT(Texts(Write("a.jsonl", "{\"text\": \"one\"}\r\n\n  \n{\"id\": 7, \"text\": \"t\\u00e9\\nwo\"}")),
              ElementsAre("one", "t\xC3\xA9\nwo"));
  EXPECT_THAT(Texts(Write("b.jsonl", "{\"body\": \"one\"}\n"), {.field = "body"}), ElementsAre("one"));
  EXPECT_THAT(Texts(Write("lines.txt", "{\"text\": \"one\"}\n"), {.json_lines = true}), ElementsAre("one"));
  EXPECT_THAT(Texts(Write("marked.jsonl", "\xEF\xBB\xBF{\"text\": \"one\"}\n")), ElementsAre("one"));
}

TEST_F(TextDocumentsTest, CompressedFilesAreReadAsWhatTheyHold) {
  Write("a.txt", "one\n");
  Write("a.jsonl", "{\"text\": \"one\"}\n");
  for (const auto& [program, ending] :
       std::vector<std::pair<std::string, std::string>>{{"gzip", ".gz"}, {"xz", ".xz"}, {"zstd", ".zst"}}) {
    EXPECT_THAT(Texts(Compress("a.txt", program, ending)), ElementsAre("one\n")) << program;
    EXPECT_THAT(Texts(Compress("a.jsonl", program, ending)), ElementsAre("one")) << program;
  }
  const std::string whole = ReadFile(Path("a.txt.gz")).value();
  EXPECT_THAT(Error(Write("cut.txt.gz", whole.substr(0, whole.size() / 2))), HasSubstr("cut.txt.gz"));
  EXPECT_THAT(Error(Write("not.txt.gz", "plain text")), HasSubstr("not compressed"));
}

TEST_F(TextDocumentsTest, ArchivesAreToldApart) {
  Write("a.txt", "one\n");
  ASSERT_EQ(std::system(("tar -C " + folder_.string() + " -czf " + Path("pack.txt.gz") + " a.txt").c_str()), 0);
  EXPECT_THAT(Error(Path("pack.txt.gz")), HasSubstr("a tar archive"));
}

TEST_F(TextDocumentsTest, WrongLinesAreNamedOrLeftOutAndCounted) {
  const std::string good = "{\"text\": \"good\"}\n";
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"no json", "no JSON"},
      {"{\"text\": \"a", "no JSON"},
      {"[1]", "no object"},
      {"{\"body\": \"a\"}", "no field 'text'"},
      {"{\"text\": 7}", "is no text"},
      {"{\"text\": \"\"}", "empty"},
      {"{\"text\": \"a\\u0000b\"}", "a zero byte"},
      {"{\"text\": \"\\ud800\"}", "lone surrogate"},
      {"{\"text\": \"\xFF\"}", "not UTF-8"},
      {"{\"text\": \"" + std::string(200, 'x') + "\"}", "more than 100 bytes"},
  };
  for (const auto& [line, why] : wrong) {
    const std::string path = Write("a.jsonl", good + line + "\n" + good);
    EXPECT_THAT(Error(path, {.max_line_bytes = 100}),
                AllOf(HasSubstr(path + ":2: "), HasSubstr(why), HasSubstr("--skip-invalid")));
    const auto documents = ReadDocuments(path, {.skip_invalid = true, .max_line_bytes = 100});
    ASSERT_TRUE(documents.ok()) << documents.status();
    EXPECT_THAT(documents->texts, ElementsAre("good", "good"));
    EXPECT_EQ(documents->skipped, 1);
    EXPECT_THAT(documents->first_skipped, HasSubstr(why));
  }
}

TEST_F(TextDocumentsTest, FoldersAndPatternsStandForTheirFilesInOrder) {
  const std::string a = Write("in/a.txt", "1"), b = Write("in/b/c.txt", "2"), z = Write("in/z.md", "3");
  Write("in/.hidden", "x");
  fs::create_directory_symlink(Path("in"), Path("in/b/round"));
  EXPECT_THAT(ExpandInputs({Path("in")}).value(), ElementsAre(a, b, z));
  EXPECT_THAT(ExpandInputs({Path("in/*.txt"), z}).value(), ElementsAre(a, z));
  EXPECT_THAT(MessageOf(ExpandInputs({Path("in/*.json")}).status()), HasSubstr("no file matches"));
  EXPECT_THAT(MessageOf(ExpandInputs({Path("nowhere")}).status()), HasSubstr("no such file"));
  fs::create_directories(Path("empty"));
  EXPECT_THAT(MessageOf(ExpandInputs({Path("empty")}).status()), HasSubstr("no file is in this folder"));
  ASSERT_EQ(mkfifo(Path("in/pipe").c_str(), 0600), 0);
  EXPECT_THAT(MessageOf(ExpandInputs({Path("in")}).status()), HasSubstr("neither a file nor a folder"));
}

TEST_F(TextDocumentsTest, DatasetOfManyFilesHasItsSourcesAndDoesNotDependOnThreads) {
  std::string lines;
  for (int i = 0; i < 200; ++i) lines += "{\"text\": \"document " + std::to_string(i) + " says hello\"}\n";
  Write("in/a.jsonl", lines);
  Write("in/b.txt", "and this is a text");
  std::string first;
  for (const int threads : {1, 3}) {
    PrepareOptions options{.texts = {Path("in")}, .out_dir = Path("out" + std::to_string(threads)), .threads = threads};
    const auto info = PrepareDataset(options);
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(info->name, "in");
    EXPECT_EQ(info->documents, 201);
    const auto dataset = Dataset::Open(options.out_dir, /*verify_hashes=*/true);
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    ASSERT_EQ((*dataset)->info().sources.size(), 2u);
    EXPECT_EQ((*dataset)->info().sources[0].documents, 200);
    EXPECT_EQ((*dataset)->info().sources[1].path, Path("in/b.txt"));
    const auto train = (*dataset)->train();
    const std::string text = (*dataset)->tokenizer().Decode({train.begin(), train.begin() + 46}).value();
    EXPECT_EQ(text, "document 0 says hello\ndocument 1 says hello\ndo");
    if (first.empty()) first = info->train_sha256;
    EXPECT_EQ(info->train_sha256, first);
  }
}

}  // namespace
}  // namespace ridgeline
