// SPDX-License-Identifier: Apache-2.0
// FAKE: a shared library with NVML's names, for tests only. What it answers stands in environment variables, which are
// read at each call:
//   FAKE_NVML_GPUS          how many there are, at most 4
//   FAKE_NVML_NAME_n        what GPU n is called; "Fake GPU" if not set
//   FAKE_NVML_MIG_n         GPU n is in MIG mode and has so many instances; not set: it has no such mode (3)
//   FAKE_NVML_USED_n        bytes in use on GPU n, and on each of its instances
//   FAKE_NVML_DENIED_n      whoever asks for GPU n has no permission (4)
//   FAKE_NVML_ENERGY_MJ_n   what GPU n has counted; without it the GPU has no counter (3, not supported)
//   FAKE_NVML_FAIL          "FUNCTION RESULT": this function returns this error instead
// GPU n has the UUID "GPU-n0000000-fake" and 80 GiB; its instances are in every other place, the first at 1: the one at
// k is "MIG-nk000000-fake" and has 10 GiB.
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int kNotSupported = 3, kNoPermission = 4, kNotFound = 6;
constexpr unsigned kGpus = 4, kPlaces = 8;
constexpr unsigned long long kGibibyte = 1ULL << 30;

struct Unit {
  unsigned gpu = 0;
  unsigned place = 0;  // Of an instance; 0: the whole GPU.
};
Unit units[kGpus][kPlaces];
int open_sessions = 0;

std::string Variable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}
std::string Of(const std::string& name, unsigned gpu) {
  return Variable("FAKE_NVML_" + name + "_" + std::to_string(gpu));
}

// The error that `function` is told to return, or 0.
int FailureOf(const std::string& function) {
  const std::string failure = Variable("FAKE_NVML_FAIL");
  return failure.rfind(function + " ", 0) == 0 ? std::stoi(failure.substr(function.size() + 1)) : 0;
}

void* HandleOf(unsigned gpu, unsigned place) {
  units[gpu][place] = {gpu, place};
  return &units[gpu][place];
}
const Unit& At(void* handle) { return *static_cast<const Unit*>(handle); }

int Write(const std::string& text, char* out, unsigned size) {
  std::strncpy(out, text.c_str(), size);
  return 0;
}

std::string UuidOf(const Unit& unit) {
  const std::string gpu = std::to_string(unit.gpu);
  return unit.place == 0 ? "GPU-" + gpu + "0000000-fake" : "MIG-" + gpu + std::to_string(unit.place) + "000000-fake";
}

bool HasInstance(unsigned gpu, unsigned place) {
  const std::string instances = Of("MIG", gpu);
  return !instances.empty() && place % 2 == 1 && place < 2 * std::stoul(instances);
}

}  // namespace

extern "C" {

int fake_nvml_open_sessions() { return open_sessions; }

const char* nvmlErrorString(int result) { return result == kNotSupported ? "Not Supported" : "the fake's error"; }

int nvmlInit_v2() {
  const int failure = FailureOf("nvmlInit_v2");
  if (failure == 0) ++open_sessions;
  return failure;
}

int nvmlShutdown() {
  --open_sessions;
  return 0;
}

int nvmlSystemGetDriverVersion(char* text, unsigned size) {
  Write("580.65.06", text, size);
  return FailureOf("nvmlSystemGetDriverVersion");
}

int nvmlSystemGetCudaDriverVersion_v2(int* version) {
  *version = 13000;
  return FailureOf("nvmlSystemGetCudaDriverVersion_v2");
}

int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = static_cast<unsigned>(std::stoul(Variable("FAKE_NVML_GPUS")));
  return FailureOf("nvmlDeviceGetCount_v2");
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  if (!Of("DENIED", index).empty()) return kNoPermission;
  *device = HandleOf(index, 0);
  return FailureOf("nvmlDeviceGetHandleByIndex_v2");
}

int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  const unsigned gpus = static_cast<unsigned>(std::stoul(Variable("FAKE_NVML_GPUS")));
  for (unsigned gpu = 0; gpu < gpus; ++gpu)
    for (unsigned place = 0; place < kPlaces; ++place) {
      if ((place > 0 && !HasInstance(gpu, place)) || UuidOf({gpu, place}) != uuid) continue;
      *device = HandleOf(gpu, place);
      return FailureOf("nvmlDeviceGetHandleByUUID");
    }
  return kNotFound;
}

int nvmlDeviceGetName(void* device, char* text, unsigned size) {
  const std::string name = Of("NAME", At(device).gpu);
  Write((name.empty() ? "Fake GPU" : name) + (At(device).place > 0 ? " MIG 1g.10gb" : ""), text, size);
  return FailureOf("nvmlDeviceGetName");
}

int nvmlDeviceGetUUID(void* device, char* text, unsigned size) {
  Write(UuidOf(At(device)), text, size);
  return FailureOf("nvmlDeviceGetUUID");
}

int nvmlDeviceGetCudaComputeCapability(void*, int* major, int* minor) {
  *major = 9;
  *minor = 0;
  return FailureOf("nvmlDeviceGetCudaComputeCapability");
}

int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* total_free_used) {
  const std::string used = Of("USED", At(device).gpu);
  total_free_used[0] = (At(device).place > 0 ? 10 : 80) * kGibibyte;
  total_free_used[2] = used.empty() ? 0 : std::stoull(used);
  total_free_used[1] = total_free_used[0] - total_free_used[2];
  return FailureOf("nvmlDeviceGetMemoryInfo");
}

int nvmlDeviceGetMigMode(void* device, unsigned* current, unsigned* pending) {
  if (Of("MIG", At(device).gpu).empty()) return kNotSupported;
  *current = *pending = 1;
  return FailureOf("nvmlDeviceGetMigMode");
}

int nvmlDeviceGetMaxMigDeviceCount(void*, unsigned* count) {
  *count = kPlaces;
  return FailureOf("nvmlDeviceGetMaxMigDeviceCount");
}

int nvmlDeviceGetMigDeviceHandleByIndex(void* device, unsigned place, void** instance) {
  if (!HasInstance(At(device).gpu, place)) return kNotFound;
  *instance = HandleOf(At(device).gpu, place);
  return FailureOf("nvmlDeviceGetMigDeviceHandleByIndex");
}

#ifndef FAKE_NVML_WITHOUT_ENERGY
int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* energy_mj) {
  const std::string energy = Of("ENERGY_MJ", At(device).gpu);
  if (energy.empty()) return kNotSupported;
  *energy_mj = std::stoull(energy);
  return FailureOf("nvmlDeviceGetTotalEnergyConsumption");
}
#endif

}  // extern "C"
