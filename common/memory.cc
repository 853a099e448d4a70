// SPDX-License-Identifier: Apache-2.0
#include "common/memory.h"

#include <unistd.h>

#include <cstdio>
#include <memory>

namespace ridgeline {

int64_t ResidentBytes() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "r"), std::fclose);
  long size_pages = 0, resident_pages = 0;
  if (file == nullptr || std::fscanf(file.get(), "%ld %ld", &size_pages, &resident_pages) != 2) return 0;
  return int64_t{resident_pages} * sysconf(_SC_PAGESIZE);
}

}  // namespace ridgeline
