// SPDX-License-Identifier: Apache-2.0
#include "import/stored_models.h"

#include <algorithm>
#include <filesystem>

#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "weights/json.h"
#include "weights/model_store.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr JsonOptions kImportJson = {.max_depth = 8, .max_bytes = size_t{1} << 20};

std::string TextIn(const nlohmann::json& json, const char* key) {
  auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

ImportedModel Describe(const fs::path& folder) {
  ImportedModel imported{
      .name = folder.filename().string(), .folder = folder.string(), .model = OpenStoredModel(folder.string())};
  const absl::StatusOr<nlohmann::json> json = ReadJsonFile((folder / "import.json").string(), kImportJson);
  if (!json.ok()) return imported;
  imported.source = TextIn(*json, "source");
  imported.date = TextIn(*json, "date");
  return imported;
}

}  // namespace

absl::StatusOr<std::vector<ImportedModel>> ListModels() {
  ASSIGN_OR_RETURN(const std::string store, ModelStoreDir());
  std::error_code error;
  std::vector<ImportedModel> models;
  if (!fs::exists(store, error)) return models;
  for (const fs::directory_entry& entry : fs::directory_iterator(store, error)) {
    std::error_code ignored;
    const bool is_hidden = entry.path().filename().string().starts_with(".");  // Imports that are under way.
    if (!is_hidden && entry.is_directory(ignored)) models.push_back(Describe(entry.path()));
  }
  if (error) return ErrnoStatus(error.value(), fmt::format("listing {}", store));
  std::sort(models.begin(), models.end(),
            [](const ImportedModel& a, const ImportedModel& b) { return a.name < b.name; });
  return models;
}

}  // namespace ridgeline
