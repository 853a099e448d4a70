// SPDX-License-Identifier: Apache-2.0
#include "energy/rapl.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "common/file.h"
#include "common/numbers.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr double kMicrojoule = 1e-6;
constexpr double kMostWatts = 1000;
// Hardware refreshes about once a millisecond.
constexpr double kRefresh_seconds = 1e-3;
constexpr size_t kMostBytesOfAFile = 128;

constexpr char kNotHere[] = "`modprobe intel_rapl_msr` makes one where the CPU is not a virtual one";
constexpr char kForRoot[] =
    "the kernel keeps it for root: let the user who measures read it (docs/energy.md#reading-without-being-root)";

// A folder's place in the tree: intel-rapl:0 is {0, none}, intel-rapl:0:2 is {0, 2}.
struct ZoneId {
  int zone = 0;
  std::optional<int> subzone;
  auto operator<=>(const ZoneId&) const = default;
};

// One counter and what it has counted since it was opened.
struct Domain {
  std::string path;
  std::string name;
  int64_t range_uj = 0;
  int64_t last_uj = 0;
  int64_t total_uj = 0;
};

bool ConsumePrefix(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

bool ConsumeNumber(std::string_view* text, int* number) {
  const auto [stopped, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc() || *number < 0) return false;
  text->remove_prefix(static_cast<size_t>(stopped - text->data()));
  return true;
}

// Nothing for folders that are no zones of this driver: intel-rapl itself, intel-rapl-mmio:0, dtpm.
std::optional<ZoneId> ZoneIdOf(std::string_view name) {
  ZoneId id;
  if (!ConsumePrefix(&name, "intel-rapl:") || !ConsumeNumber(&name, &id.zone)) return std::nullopt;
  if (name.empty()) return id;
  int subzone = 0;
  if (!ConsumePrefix(&name, ":") || !ConsumeNumber(&name, &subzone) || !name.empty()) return std::nullopt;
  id.subzone = subzone;
  return id;
}

absl::StatusOr<std::string> ReadLineOf(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, kMostBytesOfAFile);
  if (!text.ok()) {
    const std::string message(text.status().message());
    if (absl::IsPermissionDenied(text.status())) return absl::PermissionDeniedError(message + "; " + kForRoot);
    if (absl::IsNotFound(text.status()))
      return absl::FailedPreconditionError(message + "; the domain has vanished: measure again");
    return text.status();
  }
  if (text->ends_with('\n')) text->pop_back();
  return text;
}

// Microjoules, `low` to `high`.
absl::StatusOr<int64_t> ReadMicrojoules(const std::string& path, int64_t low, int64_t high) {
  ASSIGN_OR_RETURN(const std::string line, ReadLineOf(path));
  const absl::StatusOr<int64_t> number = ParseInteger(PrintableLine(line), low, high);
  if (number.ok()) return number;
  return absl::InvalidArgumentError(fmt::format("{}: {} of microjoules: this kernel's counter cannot be used", path,
                                                std::string(number.status().message())));
}

absl::StatusOr<std::map<ZoneId, std::string>> FindZones(const std::string& root) {
  std::error_code error;
  std::filesystem::directory_iterator entries(root, error);
  if (error == std::errc::no_such_file_or_directory)
    return absl::NotFoundError(fmt::format("no powercap folder ({} is not there); {}", root, kNotHere));
  std::map<ZoneId, std::string> zones;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error))
    if (const std::optional<ZoneId> id = ZoneIdOf(entries->path().filename().string()))
      zones.emplace(*id, entries->path().string());
  if (error) return ErrnoStatus(error.value(), fmt::format("listing {}", root));
  return zones;
}

absl::StatusOr<Domain> OpenDomain(const std::string& path, const std::string& name) {
  Domain domain{path, name};
  ASSIGN_OR_RETURN(domain.range_uj,
                   ReadMicrojoules(path + "/max_energy_range_uj", 1, std::numeric_limits<int64_t>::max()));
  ASSIGN_OR_RETURN(domain.last_uj, ReadMicrojoules(path + "/energy_uj", 0, domain.range_uj));
  return domain;
}

absl::Status Update(Domain* domain) {
  ASSIGN_OR_RETURN(const int64_t now_uj, ReadMicrojoules(domain->path + "/energy_uj", 0, domain->range_uj));
  const bool wrapped = now_uj < domain->last_uj;
  domain->total_uj += now_uj - domain->last_uj + (wrapped ? domain->range_uj : 0);
  domain->last_uj = now_uj;
  return absl::OkStatus();
}

// What is counted of a tree: packages by their zone, and the memories at them.
struct Domains {
  std::vector<Domain> all;
  int packages = 0;
  int drams = 0;
};

// Zones come before their subzones.
absl::StatusOr<Domains> OpenDomains(const std::map<ZoneId, std::string>& zones) {
  Domains domains;
  std::map<int, std::string> package_names;
  for (const auto& [id, path] : zones) {
    ASSIGN_OR_RETURN(const std::string name, ReadLineOf(path + "/name"));
    const auto package = package_names.find(id.zone);
    std::string part;
    if (!id.subzone.has_value() && name.starts_with("package-")) {
      part = package_names[id.zone] = PrintableLine(name);
      ++domains.packages;
    } else if (id.subzone.has_value() && name == "dram" && package != package_names.end()) {
      part = package->second + " dram";
      ++domains.drams;
    } else {
      continue;
    }
    ASSIGN_OR_RETURN(Domain domain, OpenDomain(path, part));
    domains.all.push_back(std::move(domain));
  }
  return domains;
}

class RaplCounter : public EnergyCounter {
 public:
  explicit RaplCounter(Domains domains) : domains_(std::move(domains)) {}

  std::string_view source() const override { return "rapl"; }

  std::string description() const override {
    const std::string packages = fmt::format("{} package{}", domains_.packages, domains_.packages == 1 ? "" : "s");
    if (domains_.drams == 0) return packages + ", without dram";
    if (domains_.drams == domains_.packages) return packages + " + dram";
    return fmt::format("{} + dram of {}", packages, domains_.drams);
  }

  absl::StatusOr<std::vector<EnergyPart>> Read() override {
    std::vector<EnergyPart> parts;
    for (Domain& domain : domains_.all) {
      RETURN_IF_ERROR(Update(&domain));
      parts.push_back({domain.name, static_cast<double>(domain.total_uj) * kMicrojoule});
    }
    return parts;
  }

  double refresh_seconds() const override { return kRefresh_seconds; }

  double max_unread_seconds() const override {
    int64_t smallest_uj = std::numeric_limits<int64_t>::max();
    for (const Domain& domain : domains_.all) smallest_uj = std::min(smallest_uj, domain.range_uj);
    return static_cast<double>(smallest_uj) * kMicrojoule / kMostWatts;
  }

 private:
  Domains domains_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EnergyCounter>> OpenRapl(const RaplOptions& options) {
  using Zones = std::map<ZoneId, std::string>;
  ASSIGN_OR_RETURN(const Zones zones, FindZones(options.root));
  if (zones.empty())
    return absl::NotFoundError(
        fmt::format("no powercap folder of RAPL ({} has no intel-rapl:0); {}", options.root, kNotHere));
  ASSIGN_OR_RETURN(Domains domains, OpenDomains(zones));
  if (domains.packages == 0)
    return absl::NotFoundError(fmt::format("no zone under {} is a package; {}", options.root, kNotHere));
  return std::make_unique<RaplCounter>(std::move(domains));
}

}  // namespace ridgeline
