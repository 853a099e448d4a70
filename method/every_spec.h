// SPDX-License-Identifier: Apache-2.0
// For tests and benchmarks: every quantizer that has a definition. Whoever adds an estimator or a format adds its
// tests.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "method/estimator_traits.h"
#include "method/quantizer_spec.h"

namespace ridgeline {

struct Rotation {
  bool hadamard = false;
  bool signs = false;
  bool stays = false;
};

// What specs are made of; each is combined with each.
struct SpecAxes {
  // Which rows of the table.
  std::function<bool(const EstimatorTraits&)> estimators = [](const EstimatorTraits&) { return true; };
  std::vector<Format> formats = EveryFormat();
  std::vector<Scheme> schemes = {Scheme::kLinear, Scheme::kAffine};
  std::vector<GridStatistics> grids = {GridStatistics::kMinMax, GridStatistics::kGaussian};
  std::vector<GridGradient> grid_gradients = {GridGradient::kDetached, GridGradient::kGraph};
  // A learned scale has those of rows and of the tensor, whatever stands here.
  std::vector<Granularity> granularities = {Granularity::kBlock};
  std::vector<Rotation> rotations = {{}};
  std::vector<SparsityPattern> sparsities = {{}};
  std::vector<FitGradient> fit_gradients = {FitGradient::kOwn};
  std::vector<ScalePrecision> scale_precisions = {ScalePrecision::kComputed};
  std::vector<double> trusts = {0};  // But 0, for estimators with a trust mask alone.
  int64_t block = 64;                // Where a format has none of its own.
};

// Those that ValidateQuantizerSpec accepts, in the table's order. Each row that `estimators` includes is in it with
// each of `formats` that it accepts, or CHECK-fails: an axis that leaves out what a row needs would test nothing.
std::vector<QuantizerSpec> EverySpec(const SpecAxes& axes);

// "quest int4 linear gaussian", and what is unusual about the spec.
std::string DescribeSpec(const QuantizerSpec& spec);

// That as a name of GoogleTest: letters, digits and underscores.
std::string TestNameOf(const QuantizerSpec& spec);

// Formats of one kind, of which there are at least `least`, or the program ends.
std::vector<Format> FormatsWhere(bool (*includes)(Format), size_t least);

}  // namespace ridgeline
