// SPDX-License-Identifier: Apache-2.0
#include "weights/model_store.h"

#include <cstdlib>
#include <filesystem>

#include "common/home.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

absl::StatusOr<std::string> ModelStoreDir() {
  if (std::string own = Environment("RIDGELINE_MODELS"); !own.empty()) return own;
  // A relative one counts for nothing, says the XDG Base Directory Specification.
  if (std::string data = Environment("XDG_DATA_HOME"); data.starts_with('/'))
    return (fs::path(data) / "ridgeline" / "models").string();
  const absl::StatusOr<std::string> home = HomeFolder();
  if (home.ok()) return (fs::path(*home) / ".local" / "share" / "ridgeline" / "models").string();
  return absl::Status(home.status().code(), fmt::format("{}; name the model store with RIDGELINE_MODELS",
                                                        std::string(home.status().message())));
}

absl::StatusOr<std::string> ResolveModelPath(const std::string& name_or_path) {
  const std::string path = ExpandTilde(name_or_path);
  std::error_code error;
  if (fs::exists(path, error)) return path;
  const bool is_name = !path.empty() && path.find('/') == std::string::npos && path[0] != '.';
  if (!is_name) return absl::NotFoundError(fmt::format("no model at '{}'", path));
  ASSIGN_OR_RETURN(const std::string store, ModelStoreDir());
  const fs::path stored = fs::path(store) / path;
  if (fs::is_directory(stored, error)) return stored.string();
  return absl::NotFoundError(
      fmt::format("no model '{0}': neither a path, nor in {1}; `ridgeline model list` shows what is there, `ridgeline "
                  "model import` adds to it",
                  path, store));
}

}  // namespace ridgeline
