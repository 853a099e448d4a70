// SPDX-License-Identifier: Apache-2.0
#include "common/home.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "absl/status/status.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

std::string HomeInSystemList() {
  passwd user{}, *found = nullptr;
  std::array<char, 16384> buffer{};
  const int error = ::getpwuid_r(::getuid(), &user, buffer.data(), buffer.size(), &found);
  return error == 0 && found != nullptr && found->pw_dir != nullptr ? found->pw_dir : "";
}

}  // namespace

absl::StatusOr<std::string> HomeFolder() {
  const char* variable = std::getenv("HOME");
  const std::string home = variable == nullptr ? "" : variable;
  if (home.starts_with('/')) return home;
  if (std::string listed = HomeInSystemList(); listed.starts_with('/')) return listed;
  return absl::FailedPreconditionError(
      fmt::format("there is no home folder: HOME is {}, and the system knows none of user {}",
                  home.empty() ? "not set" : home, ::getuid()));
}

std::string ExpandTilde(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  const absl::StatusOr<std::string> home = HomeFolder();
  return home.ok() ? *home + path.substr(1) : path;
}

}  // namespace ridgeline
