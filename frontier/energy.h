// SPDX-License-Identifier: Apache-2.0
// By which number the energy of points is compared: joules of one and the same source, or the proxy. Measured joules
// and a model's are never mixed, in no set and on no axis; who compares or draws energy asks here.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ridgeline/v1/frontier.pb.h"

namespace ridgeline {

inline constexpr std::array<std::string_view, 3> kEnergySources = {"rapl", "nvml", "modelled"};

bool IsEnergySource(std::string_view source);

// Finite joules per token of a known source, else nothing.
std::optional<double> JoulesOf(const v1::FrontierPoint& point);

struct EnergyMeasure {
  std::string source;  // Of joules per token; empty: the proxy, which has no unit.

  bool is_joules() const { return !source.empty(); }
  // What this measure has of the point, if it is finite.
  std::optional<double> Of(const v1::FrontierPoint& point) const;
  // "modelled", "measured (rapl)", "proxy"
  std::string Kind() const;
  // "Energy: modelled J per token", "Energy: measured (rapl) J per token", "Energy proxy: bit operations per token"
  std::string AxisTitle() const;
};

// Joules where all points have them from one source, else the proxy.
EnergyMeasure CommonEnergyMeasure(const std::vector<const v1::FrontierPoint*>& points);

}  // namespace ridgeline
