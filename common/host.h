// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ridgeline {

// This machine's name, as valid UTF-8.
std::string HostName();

// The first processor's name as the system has it, "AMD EPYC 7B13"; empty where it has none.
std::string CpuName();

}  // namespace ridgeline
