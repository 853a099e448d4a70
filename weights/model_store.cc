// SPDX-License-Identifier: Apache-2.0
#include "weights/model_store.h"

#include <cstdlib>
#include <filesystem>

#include "fmt/format.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::string ModelStoreDir() {
  if (std::string own = Environment("RIDGELINE_MODELS"); !own.empty()) return own;
  if (std::string data = Environment("XDG_DATA_HOME"); !data.empty())
    return (fs::path(data) / "ridgeline" / "models").string();
  return (fs::path(Environment("HOME")) / ".local" / "share" / "ridgeline" / "models").string();
}

absl::StatusOr<std::string> ResolveModelPath(const std::string& name_or_path) {
  std::error_code error;
  if (fs::exists(name_or_path, error)) return name_or_path;
  const bool is_name = !name_or_path.empty() && name_or_path.find('/') == std::string::npos && name_or_path[0] != '.';
  const fs::path stored = fs::path(ModelStoreDir()) / name_or_path;
  if (is_name && fs::is_directory(stored, error)) return stored.string();
  if (!is_name) return absl::NotFoundError(fmt::format("no model at '{}'", name_or_path));
  return absl::NotFoundError(
      fmt::format("no model '{0}': neither a path, nor in {1}; `ridgeline model list` shows what is there, `ridgeline "
                  "model import` adds to it",
                  name_or_path, ModelStoreDir()));
}

}  // namespace ridgeline
