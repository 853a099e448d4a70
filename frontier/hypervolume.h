// SPDX-License-Identifier: Apache-2.0
// How much a set of points reaches, as one number: the area that they dominate.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ridgeline/v1/frontier.pb.h"

namespace ridgeline {

// Of the points of one model and dataset. In the plane of x = log2(storage_bytes) and y = accuracy (0 to 1), a point
// dominates all of x' >= x and 0 <= y' <= y: more bytes for no more accuracy. The hypervolume is the area of the union
// of these, cut off at x' <= log2(reference_bytes); so
//
//     integral, over x from -infinity to log2(reference_bytes), of the best accuracy among points with log2(bytes) <= x
//
// in accuracy x octaves: 1 is all right in half the reference's bytes. Points at or above the reference add nothing,
// nor do dominated and equal ones. Only values against one and the same reference compare.
struct Hypervolume {
  std::string model;
  std::string dataset;
  int points = 0;  // With accuracy and bytes over 0: the ones that were counted.
  int pareto = 0;  // Of these, with their mark (MarkPareto).
  double reference_bytes = 0;
  double accuracy_octaves = 0;
};

// One for each model and dataset that has such points, sorted by both. Without `reference_bytes`, each set's reference
// is its most bytes. REQUIRES: reference_bytes finite and over 0.
std::vector<Hypervolume> Hypervolumes(const std::vector<v1::FrontierPoint>& points,
                                      std::optional<double> reference_bytes = std::nullopt);

// "0.642 accuracy x octaves below 1.56 MiB"
std::string HypervolumeText(const Hypervolume& volume);

}  // namespace ridgeline
