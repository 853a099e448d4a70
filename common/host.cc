// SPDX-License-Identifier: Apache-2.0
#include "common/host.h"

#include <unistd.h>

#include <fstream>

#include "common/utf8.h"

namespace ridgeline {

std::string HostName() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return ToValidUtf8(name);
}

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return ToValidUtf8(line.substr(colon + 2));
  }
  return "";
}

}  // namespace ridgeline
