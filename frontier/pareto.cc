// SPDX-License-Identifier: Apache-2.0
#include "frontier/pareto.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "frontier/energy.h"

namespace ridgeline {
namespace {

// Higher is better in each: accuracy, minus bytes, minus energy.
struct Merit {
  double accuracy;
  double less_bytes;
  double less_energy;
};

bool IsMeasured(const v1::FrontierPoint& point) {
  return point.has_accuracy() && point.has_storage_bytes() && std::isfinite(point.accuracy()) &&
         std::isfinite(point.storage_bytes());
}

bool Dominates(const Merit& a, const Merit& b) {
  bool as_good = a.accuracy >= b.accuracy && a.less_bytes >= b.less_bytes && a.less_energy >= b.less_energy;
  bool better = a.accuracy > b.accuracy || a.less_bytes > b.less_bytes || a.less_energy > b.less_energy;
  return as_good && better;
}

// Where the measure lacks one of the points, energy decides nothing.
std::vector<Merit> MeritsOf(const std::vector<v1::FrontierPoint*>& group) {
  const EnergyMeasure measure = CommonEnergyMeasure({group.begin(), group.end()});
  const bool all = std::all_of(group.begin(), group.end(), [&](const auto* point) { return measure.Of(*point); });
  std::vector<Merit> merits;
  for (const v1::FrontierPoint* point : group) {
    const double energy = all ? *measure.Of(*point) : 0.0;
    merits.push_back({point->accuracy(), -point->storage_bytes(), -energy});
  }
  return merits;
}

void MarkGroup(const std::vector<v1::FrontierPoint*>& group) {
  std::vector<Merit> merits = MeritsOf(group);
  for (size_t i = 0; i < group.size(); ++i) {
    group[i]->set_pareto(
        std::none_of(merits.begin(), merits.end(), [&](const Merit& other) { return Dominates(other, merits[i]); }));
  }
}

}  // namespace

void MarkPareto(std::vector<v1::FrontierPoint>* points) {
  std::map<std::pair<std::string, std::string>, std::vector<v1::FrontierPoint*>> groups;
  for (v1::FrontierPoint& point : *points) {
    point.set_pareto(false);
    if (IsMeasured(point)) groups[{point.model(), point.dataset()}].push_back(&point);
  }
  for (const auto& [shape, group] : groups) MarkGroup(group);
}

std::vector<size_t> ParetoLine(const std::vector<double>& cost, const std::vector<double>& accuracy) {
  std::vector<size_t> order;
  for (size_t i = 0; i < cost.size(); ++i) {
    if (std::isfinite(cost[i]) && std::isfinite(accuracy[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(cost[a], -accuracy[a]) < std::pair(cost[b], -accuracy[b]);
  });
  std::vector<size_t> line;
  for (size_t i : order) {
    if (line.empty() || accuracy[i] > accuracy[line.back()]) line.push_back(i);
  }
  return line;
}

}  // namespace ridgeline
