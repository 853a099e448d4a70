// SPDX-License-Identifier: Apache-2.0
// What pictures and reports call a point.
#pragma once

#include <string>

#include "ridgeline/v1/frontier.pb.h"

namespace ridgeline {

// "int1", or "int1 × int4" where weights and activations differ.
std::string FormatName(const v1::FrontierPoint& point);

// The job's name, else estimator, scheme and format; cut to what a picture has room for.
std::string PointLabel(const v1::FrontierPoint& point);

}  // namespace ridgeline
