// SPDX-License-Identifier: Apache-2.0
// How one tensor is quantized and pruned, in the words of recipes. Kernels read it resolved (method/resolved_spec.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "method/format.h"

namespace ridgeline {

// linear: x ~ scale * q. affine: x ~ scale * q + offset.
enum class Scheme { kLinear, kAffine };

// Where the outermost levels stand. minmax: affine at min and max, linear at max |x|, linear int1 and ternary at
// mean |x|. gaussian: at GaussianExtent times the RMS, about the mean (affine) or zero (linear).
enum class GridStatistics { kMinMax, kGaussian };

// Whether gradients also flow through the statistics that set the grid (min, max, mean |x|; mean and RMS).
enum class GridGradient { kDetached, kGraph };

// How gradients pass the regression of an estimator that has one. graph: through all of it, rounding noise held still.
// detached: not at all. own: the estimator's, graph for ridge and detached for ridge_trust.
enum class FitGradient { kOwn, kGraph, kDetached };

// The numbers that share a grid: `block` consecutive ones of a row, a row (an output channel of a weight, a token of an
// activation), or all of the tensor.
enum class Granularity { kBlock, kRow, kTensor };

// In what precision the scale and offset are that x_hat is written with. computed: that of the arithmetic. float16: the
// 16 bits that a file keeps of each, so that what is trained is what is stored (docs/methods.md#stored-scales). int8: 8
// bits of each, in steps of one float16 for the row's scales and one for its offsets, and then float16: of weights in
// blocks alone. The codes are found before, and no gradient sees the rounding.
enum class ScalePrecision { kComputed, kFloat16, kInt8 };

// n:m sparsity: of every m consecutive numbers of a row the n largest in size are kept, the others pruned to zero; ties
// keep the lower index. {0, 0} and {m, m} are dense.
struct SparsityPattern {
  int n = 0;
  int m = 0;

  bool is_sparse() const { return n < m; }
  double kept_fraction() const { return is_sparse() ? static_cast<double>(n) / m : 1; }
};

// The largest m that kernels have.
inline constexpr int kLargestSparsityGroup = 32;

// A grid is shared by `block` consecutive numbers of a row; a shorter tail is a block. Without a format or an estimator
// ("none") numbers are only pruned.
struct QuantizerSpec {
  std::string estimator = "none";  // A name of method/estimator_rows.inc.
  Format format = Format::kNone;
  Scheme scheme = Scheme::kAffine;
  int64_t block = 128;
  // Ridge penalty beside Var(q) (affine) or mean q^2 (linear): means in both (docs/methods.md#terms).
  double lambda = 0.01;
  GridGradient grid_gradient = GridGradient::kDetached;
  GridStatistics grid = GridStatistics::kMinMax;
  // The values are the same in all three.
  FitGradient fit_gradient = FitGradient::kOwn;
  // Of estimators with a trust mask: gradients pass where x is at most this many outermost levels from the grid's
  // centre. 0: the estimator's own (ResolvedSpec::trust).
  double trust = 0;
  // Quantize H x for the normalised Hadamard matrix H of each block, and rotate the result back.
  bool hadamard = false;
  // H D x instead, with the signs D of HadamardSign along the row (method/hadamard_sign.h).
  bool hadamard_signs = false;
  // With hadamard: x_hat is left rotated, and dL/dx_hat comes rotated. For both operands of a product, whose rotations
  // cancel.
  bool stays_rotated = false;
  Granularity granularity = Granularity::kBlock;
  ScalePrecision scale_precision = ScalePrecision::kComputed;
  // nvfp4 and nvint4: the largest finite |x| of the tensor (of H x with hadamard), which sets the tensor's own scale.
  // FakeQuantize fills it in; 0 stands for a tensor scale of 1.
  double tensor_max = 0;
  // Pruning comes first and is noise to gradients, too: x_kept = x + sg(mask * x - x), with a new mask in each pass.
  // The grid is that of the kept numbers; a pruned one has the code 0 in every format and decodes to 0. With hadamard
  // the pattern is that of H x, which is what is stored.
  SparsityPattern sparsity;
  // SR-STE (docs/methods.md#pruning): dL/dx of a pruned x gains mask_decay * x. 0: the plain mask.
  double mask_decay = 0;
  // Noise estimators: round, as a model that is used does, instead of adding noise. FakeQuantize rounds wherever
  // gradients are off; who calls QuantizedValues for an evaluation says so here.
  bool hard_rounding = false;

  bool quantizes() const { return format != Format::kNone && estimator != "none"; }
  bool enabled() const { return quantizes() || sparsity.is_sparse(); }
  bool adds_noise() const;
  // The scale is a parameter of the model (quant/autograd/learned_scale.h).
  bool learns_scale() const;
};

absl::StatusOr<Scheme> ParseScheme(std::string_view name);
absl::StatusOr<Granularity> ParseGranularity(std::string_view name);
absl::StatusOr<GridGradient> ParseGridGradient(std::string_view name);
absl::StatusOr<FitGradient> ParseFitGradient(std::string_view name);
absl::StatusOr<GridStatistics> ParseGridStatistics(std::string_view name);
// Of scales that are stored: float16 or int8.
absl::StatusOr<ScalePrecision> ParseStoredScales(std::string_view name);
std::string_view SchemeName(Scheme scheme);
std::string_view GridStatisticsName(GridStatistics grid);
std::string_view GridGradientName(GridGradient gradient);
std::string_view FitGradientName(FitGradient gradient);
std::string_view GranularityName(Granularity granularity);

}  // namespace ridgeline
