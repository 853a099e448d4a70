// SPDX-License-Identifier: Apache-2.0
#include "frontier/hypervolume.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "fmt/format.h"
#include "frontier/pareto.h"
#include "frontier/plot_layout.h"

namespace ridgeline {
namespace {

bool IsCounted(const v1::FrontierPoint& point) {
  return point.has_accuracy() && std::isfinite(point.accuracy()) && point.has_storage_bytes() &&
         std::isfinite(point.storage_bytes()) && point.storage_bytes() > 0;
}

// A stair for each point of the line: from its bytes to the next one's, or to the reference.
double DominatedArea(const std::vector<double>& bytes, const std::vector<double>& accuracy, double reference_bytes) {
  const std::vector<size_t> line = ParetoLine(bytes, accuracy);
  double area = 0;
  for (size_t k = 0; k < line.size(); ++k) {
    const double end = k + 1 < line.size() ? std::min(bytes[line[k + 1]], reference_bytes) : reference_bytes;
    const double octaves = std::log2(end / bytes[line[k]]);
    if (octaves > 0) area += octaves * std::max(accuracy[line[k]], 0.0);
  }
  return area;
}

Hypervolume HypervolumeOf(const std::vector<const v1::FrontierPoint*>& group, std::optional<double> reference_bytes) {
  Hypervolume volume{.model = group[0]->model(), .dataset = group[0]->dataset()};
  std::vector<double> bytes, accuracy;
  for (const v1::FrontierPoint* point : group) {
    bytes.push_back(point->storage_bytes());
    accuracy.push_back(point->accuracy());
    volume.pareto += point->pareto() ? 1 : 0;
  }
  volume.points = static_cast<int>(group.size());
  volume.reference_bytes = reference_bytes.value_or(*std::max_element(bytes.begin(), bytes.end()));
  volume.accuracy_octaves = DominatedArea(bytes, accuracy, volume.reference_bytes);
  return volume;
}

}  // namespace

std::vector<Hypervolume> Hypervolumes(const std::vector<v1::FrontierPoint>& points,
                                      std::optional<double> reference_bytes) {
  std::map<std::pair<std::string, std::string>, std::vector<const v1::FrontierPoint*>> groups;
  for (const v1::FrontierPoint& point : points) {
    if (IsCounted(point)) groups[{point.model(), point.dataset()}].push_back(&point);
  }
  std::vector<Hypervolume> volumes;
  for (const auto& [shape, group] : groups) volumes.push_back(HypervolumeOf(group, reference_bytes));
  return volumes;
}

std::string HypervolumeText(const Hypervolume& volume) {
  return fmt::format("{:.4f} accuracy x octaves below {}", volume.accuracy_octaves, BinaryText(volume.reference_bytes));
}

}  // namespace ridgeline
