// SPDX-License-Identifier: Apache-2.0
// Which points are worth having: no other point of the same model shape and dataset is at least as good in
// accuracy, stored bytes and energy, and better in one of them.
#pragma once

#include <vector>

#include "ridgeline/v1/frontier.pb.h"

namespace ridgeline {

// Sets `pareto` on each point. Energy is joules per token where every compared point has them from one source, else the
// proxy (frontier/energy.h); where a point lacks that too, energy decides nothing.
// Points without accuracy or storage_bytes are never on the frontier.
void MarkPareto(std::vector<v1::FrontierPoint>* points);

// Indices of the points on the two-dimensional frontier (higher accuracy, lower cost), by rising cost.
std::vector<size_t> ParetoLine(const std::vector<double>& cost, const std::vector<double>& accuracy);

}  // namespace ridgeline
