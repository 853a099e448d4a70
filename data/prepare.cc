// SPDX-License-Identifier: Apache-2.0
// Text to a dataset folder. The folder is built beside its place and moved there whole.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>
#include <thread>

#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "data/dataset.h"
#include "data/dataset_format.h"
#include "data/encode_parts.h"
#include "data/load_tokenizer_from.h"
#include "data/same_tokenizer.h"
#include "data/text_documents.h"
#include "data/text_inputs.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr char kCharTokenizer[] = "char";

// The documents of all inputs, in order.
struct Corpus {
  std::vector<std::string> texts;
  std::vector<std::string> places;  // Of each, for messages.
  bool has_marks = false;           // Several documents, or one of a format that has several.
};

std::string PlaceOf(const std::string& path) { return path == kStandardInput ? "standard input" : path; }

absl::StatusOr<Corpus> ReadCorpus(const PrepareOptions& options, DatasetInfo* info) {
  ASSIGN_OR_RETURN(const std::vector<std::string> paths, ExpandInputs(options.texts));
  Corpus corpus;
  for (size_t i = 0; i < paths.size(); ++i) {
    if (options.progress) options.progress(0.1 * static_cast<double>(i) / static_cast<double>(paths.size()), "reading");
    ASSIGN_OR_RETURN(Documents read, ReadDocuments(paths[i], options.documents));
    info->sources.push_back({PlaceOf(paths[i]), read.bytes, read.sha256, static_cast<int64_t>(read.texts.size())});
    if (info->first_skipped.empty()) info->first_skipped = read.first_skipped;
    info->skipped += read.skipped;
    info->dropped_byte_order_mark |= read.dropped_byte_order_mark;
    corpus.has_marks |= read.is_lines || paths.size() > 1;
    for (size_t j = 0; j < read.texts.size(); ++j) {
      corpus.places.push_back(read.is_lines ? fmt::format("{}, document {}", PlaceOf(paths[i]), j + 1)
                                            : PlaceOf(paths[i]));
      corpus.texts.push_back(std::move(read.texts[j]));
    }
  }
  if (corpus.texts.empty())
    return absl::InvalidArgumentError(fmt::format("no line held a document; the first: {}",
                                                  info->first_skipped.empty() ? "none" : info->first_skipped));
  return corpus;
}

// So that they do not run into each other where the tokenizer has no marks for them.
void EndInLineBreaks(Corpus* corpus) {
  for (std::string& text : corpus->texts)
    if (!text.ends_with('\n')) text += '\n';
}

// One text as it lies; several each behind its length, so that no two corpora read alike.
std::string HashOf(const Corpus& corpus) {
  if (!corpus.has_marks) return Sha256Hex(corpus.texts.front());
  std::string lengths;
  for (const std::string& text : corpus.texts) lengths += fmt::format("{}:{}\n", text.size(), Sha256Hex(text));
  return Sha256Hex(lengths);
}

absl::Status At(const std::string& place, const absl::Status& status) {
  return absl::Status(status.code(), fmt::format("{}: {}", place, std::string(status.message())));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFor(const PrepareOptions& options, const Corpus& corpus) {
  if (options.tokenizer != kCharTokenizer) return LoadTokenizerFrom(options.tokenizer);
  std::string all;
  for (size_t i = 0; i < corpus.texts.size(); ++i) {
    if (const absl::Status status = CheckUtf8(corpus.texts[i]); !status.ok()) return At(corpus.places[i], status);
    all += corpus.texts[i];
  }
  return MakeCharTokenizer(all);
}

std::string NameFor(const PrepareOptions& options) {
  if (!options.name.empty()) return options.name;
  const std::string first = options.texts.empty() ? "" : options.texts.front();
  if (first == kStandardInput) return "stdin";
  const fs::path path(first);
  fs::path stem = (path.has_filename() ? path : path.parent_path()).filename();
  while (stem.has_extension() && stem.stem() != stem) stem = stem.stem();  // "books.jsonl.gz"
  return stem.string();
}

int ThreadsFor(const PrepareOptions& options) {
  return options.threads > 0 ? options.threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

absl::StatusOr<size_t> TrainTokens(const PrepareOptions& options, const DatasetInfo& info, size_t tokens) {
  if (!(options.train_fraction > 0 && options.train_fraction < 1)) {
    return absl::InvalidArgumentError(fmt::format(
        "the training fraction is {}; it must lie between 0 and 1, for instance 0.9", options.train_fraction));
  }
  size_t train = static_cast<size_t>(options.train_fraction * static_cast<double>(tokens));
  if (train >= 2 && tokens - train >= 2) return train;
  return At(info.sources.front().path,
            absl::InvalidArgumentError(fmt::format(
                "{} tokens split into {} for training and {} for validation; each needs at least 2, so give more text",
                tokens, train, tokens - train)));
}

// Only a folder that holds nothing but a dataset may be replaced: the path may be a typing error.
absl::Status CheckReplaceable(const std::string& folder) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(folder, error))) return absl::OkStatus();
  if (!fs::is_directory(folder, error))
    return absl::AlreadyExistsError(fmt::format("{} exists and is not a folder; choose another output", folder));
  static const std::set<std::string> ours = {kDatasetFile, kTrainFile, kValidationFile,
                                             TokenizerFileName("sentencepiece"), TokenizerFileName("bpe")};
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (ours.contains(entry.path().filename().string())) continue;
    return absl::AlreadyExistsError(
        fmt::format("{} holds '{}', which is not part of a dataset; choose a new or empty folder", folder,
                    entry.path().filename().string()));
  }
  if (error) return ErrnoStatus(error.value(), fmt::format("listing {}", folder));
  return absl::OkStatus();
}

// A folder beside `target` that disappears with this object.
class TemporaryFolder {
 public:
  static absl::StatusOr<std::unique_ptr<TemporaryFolder>> Beside(const fs::path& target) {
    RETURN_IF_ERROR(MakeDirectories(target.parent_path().string()));
    std::string name = (target.parent_path() / fmt::format(".{}.XXXXXX", target.filename().string())).string();
    if (::mkdtemp(name.data()) == nullptr)
      return ErrnoStatus(errno, fmt::format("creating a folder beside {}", target.string()));
    ::chmod(name.c_str(), 0755);
    return std::make_unique<TemporaryFolder>(name);
  }
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Swaps the folders in one step where the file system can; the temporary folder then holds the old dataset.
absl::Status MoveIntoPlace(const std::string& from, const fs::path& target) {
  bool moved = ::rename(from.c_str(), target.c_str()) == 0 ||
               ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0;
  if (!moved && (errno == EINVAL || errno == ENOSYS)) {
    std::string old = from + ".old";
    moved = ::rename(target.c_str(), old.c_str()) == 0 && ::rename(from.c_str(), target.c_str()) == 0;
    std::error_code ignored;
    if (moved) fs::remove_all(old, ignored);
  }
  if (!moved) return ErrnoStatus(errno, fmt::format("moving the new dataset to {}", target.string()));
  return SyncDirectory(target.parent_path().string());
}

absl::StatusOr<std::string> WriteTokens(const std::string& path, std::span<const uint32_t> ids, int64_t vocab_size) {
  std::string bytes = EncodeTokenFile(ids, vocab_size);
  RETURN_IF_ERROR(WriteFileAtomically(path, bytes));
  return Sha256Hex(bytes);
}

absl::Status WriteDataset(const fs::path& target, const Tokenizer& tokenizer, std::span<const uint32_t> ids,
                          DatasetInfo* info) {
  ASSIGN_OR_RETURN(auto folder, TemporaryFolder::Beside(target));
  auto in_folder = [&](const char* name) { return folder->path() + "/" + name; };
  size_t train = static_cast<size_t>(info->train_tokens);
  ASSIGN_OR_RETURN(info->train_sha256, WriteTokens(in_folder(kTrainFile), ids.first(train), info->vocab_size));
  ASSIGN_OR_RETURN(info->validation_sha256,
                   WriteTokens(in_folder(kValidationFile), ids.subspan(train), info->vocab_size));
  const std::string tokenizer_file = TokenizerFileName(tokenizer.kind());
  if (!tokenizer_file.empty())
    RETURN_IF_ERROR(WriteFileAtomically(in_folder(tokenizer_file.c_str()), tokenizer.FileBytes()));
  RETURN_IF_ERROR(WriteFileAtomically(in_folder(kDatasetFile), DatasetManifestToJson(*info, tokenizer)));
  return MoveIntoPlace(folder->path(), target);
}

absl::StatusOr<fs::path> ResolveTarget(const std::string& out_dir) {
  std::error_code error;
  fs::path target = fs::weakly_canonical(fs::absolute(out_dir, error), error);
  if (!target.has_filename()) target = target.parent_path();
  if (out_dir.empty() || error || !target.has_filename() || target == target.root_path())
    return absl::InvalidArgumentError(fmt::format("'{}' cannot be the output folder; name a new folder", out_dir));
  return target;
}

}  // namespace

absl::StatusOr<DatasetInfo> PrepareDataset(const PrepareOptions& options) {
  auto report = [&](double fraction, const std::string& what) {
    if (options.progress) options.progress(fraction, what);
  };
  DatasetInfo info;
  info.name = NameFor(options);
  info.train_fraction = options.train_fraction;
  RETURN_IF_ERROR(CheckDatasetName(info.name));
  ASSIGN_OR_RETURN(fs::path target, ResolveTarget(options.out_dir));
  RETURN_IF_ERROR(CheckReplaceable(target.string()));

  ASSIGN_OR_RETURN(Corpus corpus, ReadCorpus(options, &info));
  if (corpus.has_marks && options.tokenizer == kCharTokenizer) EndInLineBreaks(&corpus);
  info.text_sha256 = HashOf(corpus);
  info.documents = corpus.has_marks ? static_cast<int64_t>(corpus.texts.size()) : 0;
  report(0.1, "reading the tokenizer");
  ASSIGN_OR_RETURN(std::unique_ptr<Tokenizer> tokenizer, TokenizerFor(options, corpus));
  const DocumentMarks marks = corpus.has_marks ? MarksOf(*tokenizer) : DocumentMarks();
  if (corpus.has_marks && !marks.before.has_value() && !marks.after.has_value()) EndInLineBreaks(&corpus);
  const std::vector<std::string_view> documents(corpus.texts.begin(), corpus.texts.end());
  size_t failed = 0;
  const auto tokenizing = [&](double done) { report(0.2 + 0.5 * done, "tokenizing"); };
  auto ids = EncodeDocuments(*tokenizer, documents, marks, tokenizing, ThreadsFor(options), &failed);
  if (!ids.ok()) return At(corpus.places[failed], ids.status());
  ASSIGN_OR_RETURN(size_t train, TrainTokens(options, info, ids->size()));
  info.tokenizer_kind = tokenizer->kind();
  info.tokenizer_sha256 = TokenizerHash(*tokenizer);
  info.vocab_size = tokenizer->vocab_size();
  info.train_tokens = static_cast<int64_t>(train);
  info.validation_tokens = static_cast<int64_t>(ids->size() - train);
  report(0.7, "writing token files");
  RETURN_IF_ERROR(WriteDataset(target, *tokenizer, *ids, &info));
  report(1.0, "done");
  return info;
}

}  // namespace ridgeline
