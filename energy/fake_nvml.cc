// SPDX-License-Identifier: Apache-2.0
// FAKE: a shared library with NVML's names, for nvml_test.cc only. What it answers stands in environment variables,
// which are read at each call:
//   FAKE_NVML_GPUS          how many there are
//   FAKE_NVML_ENERGY_MJ_n   what GPU n has counted; without it the GPU has no counter (3, not supported)
//   FAKE_NVML_FAIL          "FUNCTION RESULT": this function returns this error instead
#include <cstdlib>
#include <string>

namespace {

constexpr int kNotSupported = 3;
unsigned gpu_indexes[] = {0, 1, 2, 3};
int open_sessions = 0;

std::string Variable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

// The error that `function` is told to return, or 0.
int FailureOf(const std::string& function) {
  const std::string failure = Variable("FAKE_NVML_FAIL");
  return failure.rfind(function + " ", 0) == 0 ? std::stoi(failure.substr(function.size() + 1)) : 0;
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

int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = static_cast<unsigned>(std::stoul(Variable("FAKE_NVML_GPUS")));
  return FailureOf("nvmlDeviceGetCount_v2");
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = &gpu_indexes[index];
  return FailureOf("nvmlDeviceGetHandleByIndex_v2");
}

#ifndef FAKE_NVML_WITHOUT_ENERGY
int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* energy_mj) {
  const std::string energy = Variable("FAKE_NVML_ENERGY_MJ_" + std::to_string(*static_cast<unsigned*>(device)));
  if (energy.empty()) return kNotSupported;
  *energy_mj = std::stoull(energy);
  return FailureOf("nvmlDeviceGetTotalEnergyConsumption");
}
#endif

}  // extern "C"
