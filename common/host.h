// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ridgeline {

// This machine's name, as valid UTF-8.
std::string HostName();

}  // namespace ridgeline
