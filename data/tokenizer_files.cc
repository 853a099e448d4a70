// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizer_files.h"

#include <filesystem>

#include "common/file.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxTokenizerBytes = size_t{1} << 28;

absl::StatusOr<std::map<std::string, std::string>> FilesIn(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const char* name :
       {"tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json",
        "merges.txt", "generation_config.json", "chat_template.jinja", "dataset.json"}) {
    std::error_code ignored;
    if (!fs::exists(folder / name, ignored)) continue;
    ASSIGN_OR_RETURN(files[name], ReadFile((folder / name).string(), kMaxTokenizerBytes));
  }
  return files;
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> TokenizerFilesOf(const std::string& model_path,
                                                                    const Tokenizer& tokenizer) {
  std::error_code ignored;
  if (fs::is_directory(model_path, ignored)) {
    ASSIGN_OR_RETURN(auto files, FilesIn(model_path));
    if (!files.empty()) return files;
  }
  std::map<std::string, std::string> files;
  if (const std::string name = TokenizerFileName(tokenizer.kind()); !name.empty()) files[name] = tokenizer.FileBytes();
  return files;
}

}  // namespace ridgeline
