// SPDX-License-Identifier: Apache-2.0
#include "stack/mpirun.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <thread>

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

// Of Slurm, PMI and PMIx, Flux, JSM, LSF, PBS, PALS, ALPS, and of the ranks of Open MPI.
// ranks.
constexpr std::array<std::string_view, 12> kLauncherPrefixes = {
    "SLURM_", "SLURMD_", "PMI_", "PMI2_", "PMIX_", "FLUX_", "JSM_", "LSB_", "PBS_", "PALS_", "ALPS_APP_", "OMPI_"};
// By which Grid Engine is known.
constexpr std::array<std::string_view, 1> kLauncherNames = {"PE_HOSTFILE"};
// What a person sets, and wants to have an effect.
constexpr std::array<std::string_view, 3> kSettings = {"OMPI_MCA_", "PMIX_MCA_", "OMPI_ALLOW_RUN_AS_ROOT"};
// MCA parameters that mpirun itself sets for its ranks: with these another mpirun takes itself for a rank.
constexpr std::array<std::string_view, 16> kOfARank = {"OMPI_MCA_ess",
                                                       "OMPI_MCA_pmix",
                                                       "OMPI_MCA_plm",
                                                       "OMPI_MCA_ras",
                                                       "OMPI_MCA_initial_wdir",
                                                       "OMPI_MCA_mpi_oversubscribe",
                                                       "OMPI_MCA_shmem_RUNTIME_QUERY_hint",
                                                       "OMPI_MCA_orte_app_num",
                                                       "OMPI_MCA_orte_bound_at_launch",
                                                       "OMPI_MCA_orte_ess",
                                                       "OMPI_MCA_orte_hnp_uri",
                                                       "OMPI_MCA_orte_jobfam_session_dir",
                                                       "OMPI_MCA_orte_launch",
                                                       "OMPI_MCA_orte_local_daemon_uri",
                                                       "OMPI_MCA_orte_num_nodes",
                                                       "OMPI_MCA_orte_top_session_dir"};

// From 57 characters on, Open MPI 4.1 and PMIx 4.2 write past the end of a buffer where they shorten lists of hosts.
// The list of one host needs no shortening.
constexpr size_t kLongestPlainHostName = 50;

template <size_t n>
bool StartsWithAny(const std::string& text, const std::array<std::string_view, n>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view p) { return text.starts_with(p); });
}

size_t HostNameLength() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::strlen(name.data()) : 0;
}

std::map<std::string, std::string> MpirunEnvironment(int ranks) {
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::map<std::string, std::string> environment = {{"OMP_NUM_THREADS", fmt::format("{}", std::max(1, cores / ranks))},
                                                    // A machine's list of hosts is for jobs over several machines.
                                                    {"OMPI_MCA_orte_default_hostfile", "none"}};
  if (HostNameLength() > kLongestPlainHostName) {
    environment["OMPI_MCA_regx"] = "naive";
    environment["PMIX_MCA_preg"] = "^native";
  }
  if (::geteuid() == 0) {
    environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1";
    environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1";
  }
  return environment;
}

}  // namespace

std::string FindMpirun() {
  const fs::path found = FindOnPath("mpirun");
  if (found.empty()) return "";
  std::error_code error;
  const fs::path folder = fs::canonical(found.parent_path(), error);
  return error ? found.string() : (folder / found.filename()).string();
}

bool IsOfAnotherLauncher(const std::string& variable) {
  if (StartsWithAny(variable, kOfARank)) return true;
  if (StartsWithAny(variable, kSettings)) return false;
  return StartsWithAny(variable, kLauncherPrefixes) ||
         std::find(kLauncherNames.begin(), kLauncherNames.end(), variable) != kLauncherNames.end();
}

SpawnSpec MpirunSpec(int ranks, const std::vector<std::string>& program) {
  SpawnSpec spec;
  spec.argv = {FindMpirun(), "-n", fmt::format("{}", ranks), "--bind-to", "none", "--oversubscribe"};
  spec.argv.insert(spec.argv.end(), program.begin(), program.end());
  spec.environment = MpirunEnvironment(ranks);
  spec.leaves_out = IsOfAnotherLauncher;
  return spec;
}

absl::Status TryMpirun(const std::vector<std::string>& program, int64_t limit_ms) {
  const absl::StatusOr<Finished> finished = RunFor(MpirunSpec(2, program), limit_ms);
  if (!finished.ok()) return finished.status();
  if (finished->exit_code == 0) return absl::OkStatus();
  const std::string end = finished->exit_code < 0 ? fmt::format("did not end within {} s", limit_ms / 1000)
                                                  : fmt::format("ended with exit code {}", finished->exit_code);
  return absl::FailedPreconditionError(fmt::format("mpirun with two ranks {}: {}", end, finished->output));
}

}  // namespace ridgeline
