// SPDX-License-Identifier: Apache-2.0
#include "common/host.h"

#include <unistd.h>

#include "common/utf8.h"

namespace ridgeline {

std::string HostName() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return ToValidUtf8(name);
}

}  // namespace ridgeline
