// SPDX-License-Identifier: Apache-2.0
#include "weights/file_kind.h"

#include <algorithm>
#include <cctype>

#include "fmt/format.h"

namespace ridgeline {
namespace {

// A kind of file by the bytes that it begins with (at `offset`).
struct Magic {
  size_t offset;
  std::string_view bytes;
  std::string_view what;
  std::string_view remedy;
};

constexpr std::string_view kUnpack = "unpack it, and name the file that was in it";
constexpr std::string_view kConvertGgml = "convert it to GGUF with llama.cpp's tools, or fetch the model as GGUF";
constexpr std::string_view kSaveAsSafetensors =
    "save the model as safetensors (save_pretrained in transformers does), and name that folder";
constexpr std::string_view kToUtf8 = "convert it to UTF-8, for instance with iconv";
constexpr std::string_view kNameAnother = "name the file that is meant";
constexpr std::string_view kFetchAgain = "fetch it again";

constexpr Magic kMagics[] = {
    {0, "version https://git-lfs.github.com/spec/", "a Git LFS pointer, which only names a file",
     "fetch the file itself with 'git lfs pull', or download it"},
    {0, "version https://hawser.github.com/spec/", "a Git LFS pointer, which only names a file",
     "fetch the file itself with 'git lfs pull', or download it"},
    {0, "lmgg", "a GGML file of the time before GGUF", kConvertGgml},
    {0, "fmgg", "a GGML file of the time before GGUF", kConvertGgml},
    {0, "tjgg", "a GGML file of the time before GGUF", kConvertGgml},
    {0, "ggml", "a GGML file of the time before GGUF", kConvertGgml},
    {0, "ggmf", "a GGML file of the time before GGUF", kConvertGgml},
    {0, "ggjt", "a GGML file of the time before GGUF", kConvertGgml},
    {0, "algg", "a GGML adapter (LoRA)", "merge it into its model, and convert that to GGUF"},
    {0, "ggla", "a GGML adapter (LoRA)", "merge it into its model, and convert that to GGUF"},
    {0, "nsgg", "a saved session of llama.cpp", kNameAnother},
    {0, "qsgg", "a saved session of llama.cpp", kNameAnother},
    {0, "PK\x03\x04", "a zip archive, as PyTorch's .bin, .pt and .ckpt files are", kSaveAsSafetensors},
    {0, "PK\x05\x06", "an empty zip archive", kFetchAgain},
    {0, "\x80\x02", "a Python pickle, as PyTorch's older .bin and .pt files are", kSaveAsSafetensors},
    {0, "\x80\x03", "a Python pickle", kSaveAsSafetensors},
    {0, "\x80\x04", "a Python pickle", kSaveAsSafetensors},
    {0, "\x80\x05", "a Python pickle", kSaveAsSafetensors},
    {257, "ustar", "a tar archive", kUnpack},
    {0, "\x1F\x8B", "compressed by gzip", kUnpack},
    {4, "1AY&SY", "compressed by bzip2", kUnpack},
    {0,
     {"\xFD"
      "7zXZ\0",
      6},
     "compressed by xz",
     kUnpack},
    {0, "\x28\xB5\x2F\xFD", "compressed by zstd", kUnpack},
    {0, "\x04\x22\x4D\x18", "compressed by lz4", kUnpack},
    {0, "7z\xBC\xAF\x27\x1C", "a 7-Zip archive", kUnpack},
    {0, "Rar!\x1A\x07", "a RAR archive", kUnpack},
    {0, "\x89HDF\r\n\x1A\n", "an HDF5 file, as Keras' .h5 files are", kSaveAsSafetensors},
    {0, "\x93NUMPY", "a NumPy array", kSaveAsSafetensors},
    {4, "TFL3", "a TensorFlow Lite model", kSaveAsSafetensors},
    {0, "PAR1", "a Parquet table", "write its text column to a plain file"},
    {0, "ARROW1", "an Arrow table", "write its text column to a plain file"},
    {0, {"SQLite format 3\0", 16}, "an SQLite database", kNameAnother},
    {0, "%PDF-", "a PDF", "extract its text, for instance with pdftotext"},
    {0,
     "\x7F"
     "ELF",
     "a program or library", kNameAnother},
    {0, "\x89PNG", "a picture", kNameAnother},
    {0, "\xFF\xD8\xFF", "a picture", kNameAnother},
    {0, "GIF8", "a picture", kNameAnother},
    {0, "\xFF\xFE", "text in UTF-16", kToUtf8},
    {0, "\xFE\xFF", "text in UTF-16", kToUtf8},
    {0, {"\0\0\xFE\xFF", 4}, "text in UTF-32", kToUtf8},
    {0, "RDGTOKEN", "a token file of a dataset", "name the dataset's folder"},
};

struct Kind {
  std::string_view what, remedy;
};

constexpr Kind kGguf = {"a GGUF file", kNameAnother};
constexpr Kind kSafetensors = {"a safetensors file", "name the folder that it lies in, with its config.json"};

// A text may begin with the letters of ggml's old magics.
bool HasMagic(std::string_view head, const Magic& magic, FileKind wanted) {
  if (wanted == FileKind::kText && magic.bytes.starts_with("gg")) return false;
  return head.size() >= magic.offset && head.substr(magic.offset).starts_with(magic.bytes);
}

// A header length that fits a safetensors file, then the header's brace.
bool IsSafetensors(std::string_view head) {
  return head.size() > 8 && head[8] == '{' && head[5] == 0 && head[6] == 0 && head[7] == 0;
}

bool StartsWithWord(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && std::equal(word.begin(), word.end(), text.begin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

// What text begins with, after a byte order mark and white space; empty if there is nothing else.
std::string_view BeginOfText(std::string_view head) {
  if (head.starts_with(kByteOrderMark)) head.remove_prefix(kByteOrderMark.size());
  head.remove_prefix(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
  return head;
}

// Markup and answers of servers, which may be wanted as a corpus and never as a model.
const Kind* KindOfText(std::string_view head) {
  static constexpr Kind kHtml = {"an HTML page, perhaps the error or log-in page of a server",
                                 "fetch the file by its download address, and log in if it asks for that"};
  static constexpr Kind kXml = {"an XML text, perhaps an error of a server", kFetchAgain};
  static constexpr Kind kAnswer = {"a server's answer, which says that the file could not be had", kFetchAgain};
  static constexpr Kind kBlank = {"blank", kFetchAgain};
  const std::string_view text = BeginOfText(head);
  if (text.empty()) return &kBlank;
  for (const char* begin : {"<!doctype html", "<html", "<head", "<body", "<script", "<!--"})
    if (StartsWithWord(text, begin)) return &kHtml;
  if (StartsWithWord(text, "<?xml") || StartsWithWord(text, "<error")) return &kXml;
  if (head.size() == kHeadBytes) return nullptr;  // Such answers are short.
  for (const char* begin : {"invalid username or password", "entry not found", "repository not found",
                            "access to model ", "not found", "unauthorized", "forbidden", "{\"error\"", "{\"message\""})
    if (StartsWithWord(text, begin)) return &kAnswer;
  return nullptr;
}

bool IsAllZeros(std::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char byte) { return byte == 0; });
}

// What the head shows, if it is not `wanted`.
const Kind* OtherKind(std::string_view head, FileKind wanted) {
  static constexpr Kind kEmpty = {"an empty file", kFetchAgain};
  static constexpr Kind kZeros = {"a file of zeros, perhaps of a download that was broken off", kFetchAgain};
  if (head.empty()) return &kEmpty;
  if (head.size() >= 16 && IsAllZeros(head)) return &kZeros;
  if (head.starts_with("GGUF")) return wanted == FileKind::kGguf || wanted == FileKind::kTokenizer ? nullptr : &kGguf;
  if (IsSafetensors(head)) return wanted == FileKind::kSafetensors ? nullptr : &kSafetensors;
  return wanted == FileKind::kText ? nullptr : KindOfText(head);
}

const char* Wanted(FileKind kind) {
  switch (kind) {
    case FileKind::kGguf:
      return "a GGUF file";
    case FileKind::kSafetensors:
      return "a safetensors file";
    case FileKind::kJson:
      return "JSON";
    case FileKind::kTokenizer:
      return "a tokenizer";
    case FileKind::kText:
      break;
  }
  return "plain text";
}

}  // namespace

absl::Status CheckFileKind(std::string_view head, const std::string& path, FileKind wanted) {
  head = head.substr(0, kHeadBytes);
  auto refuse = [&](std::string_view what, std::string_view remedy) {
    return absl::DataLossError(fmt::format("{}: this is {}, not {}; {}", path, what, Wanted(wanted), remedy));
  };
  if (const Kind* other = OtherKind(head, wanted)) return refuse(other->what, other->remedy);
  for (const Magic& magic : kMagics)
    if (HasMagic(head, magic, wanted)) return refuse(magic.what, magic.remedy);
  return absl::OkStatus();
}

}  // namespace ridgeline
