// SPDX-License-Identifier: Apache-2.0
// Whether a worker group is one that a job can run on, busy or not. Pure.
#pragma once

#include <string>
#include <vector>

#include "coordinator/fleet/schedulable_group.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// At least resources.ranks ranks, each of resources.device and with at least resources.memory, and all of
// resources.labels. A job of an older store asks for one rank and nothing else.
bool Fits(const SchedulableGroup& group, const v1::Resources& wanted);

// For people: the first of device, ranks, memory and labels that none of the groups has which have those before it.
// REQUIRES: none of the groups fits.
std::string WhatIsMissing(const v1::Resources& wanted, const std::vector<SchedulableGroup>& groups);

// "2 jobs", "1 job"
std::string Plural(size_t count, const char* what);

}  // namespace ridgeline
