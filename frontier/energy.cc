// SPDX-License-Identifier: Apache-2.0
#include "frontier/energy.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"

namespace ridgeline {
namespace {

std::optional<double> Finite(bool has, double value) {
  return has && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace

bool IsEnergySource(std::string_view source) {
  return std::find(kEnergySources.begin(), kEnergySources.end(), source) != kEnergySources.end();
}

std::optional<double> JoulesOf(const v1::FrontierPoint& point) {
  if (!IsEnergySource(point.energy_source())) return std::nullopt;
  return Finite(point.has_energy_joules_per_token(), point.energy_joules_per_token());
}

std::optional<double> EnergyMeasure::Of(const v1::FrontierPoint& point) const {
  if (!is_joules()) return Finite(point.has_energy_proxy(), point.energy_proxy());
  return point.energy_source() == source ? JoulesOf(point) : std::nullopt;
}

std::string EnergyMeasure::Kind() const {
  if (!is_joules()) return "proxy";
  return source == "modelled" ? source : fmt::format("measured ({})", source);
}

std::string EnergyMeasure::AxisTitle() const {
  return is_joules() ? fmt::format("Energy: {} J per token", Kind()) : "Energy proxy: bit operations per token";
}

EnergyMeasure CommonEnergyMeasure(const std::vector<const v1::FrontierPoint*>& points) {
  if (points.empty()) return {};
  EnergyMeasure joules{points.front()->energy_source()};
  const bool all = std::all_of(points.begin(), points.end(), [&](const auto* point) { return joules.Of(*point); });
  return all ? joules : EnergyMeasure{};
}

}  // namespace ridgeline
