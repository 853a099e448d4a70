// SPDX-License-Identifier: Apache-2.0
// Names of formats, schemes and grids, and what they mean. No LibTorch here: the coordinator's side may include it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ridgeline {

// The numbers of a grid. Affine intB has the levels 0 .. 2^B - 1; linear int1 is {-1, +1}, linear intB for B > 1
// is the 2^B half-integers about zero (int2: -1.5, -0.5, 0.5, 1.5), ternary is {-1, 0, +1}. Floating-point formats have
// the levels of their element; MX and NV formats say how the scale is stored, too (quant/spec/float_element.h).
enum class Format {
  kNone,
  kInt1,
  kInt2,
  kInt3,
  kInt4,
  kInt5,
  kInt6,
  kInt7,
  kInt8,
  kTernary,
  kFp4,
  kFp6E2M3,
  kFp6E3M2,
  kFp8E4M3,
  kFp8E5M2,
  kBitModFp3,
  kBitModFp4,
  kMxFp4,
  kMxFp6E2M3,
  kMxFp6E3M2,
  kMxFp8E4M3,
  kMxFp8E5M2,
  kMxInt8,
  kNvFp4,
  kNvInt4
};

// linear: x ~ scale * q. affine: x ~ scale * q + offset.
enum class Scheme { kLinear, kAffine };

// Where the outermost levels stand. minmax: affine at min and max, linear at max |x|, linear int1 and ternary at
// mean |x|. gaussian: at GaussianExtent times the RMS, about the mean (affine) or zero (linear).
enum class GridStatistics { kMinMax, kGaussian };

// Whether gradients also flow through the statistics that set the grid (min, max, mean |x|; mean and RMS).
enum class GridGradient { kDetached, kGraph };

// How gradients pass the regression of ridge and ridge_trust (METHODS 0.4). graph: through all of it, rounding noise
// held still. detached: not at all, which leaves the gradient of ste or quest. own: ridge's is graph, ridge_trust's
// detached.
enum class FitGradient { kOwn, kGraph, kDetached };

// The numbers that share a grid: `block` consecutive ones of a row, a row (an output channel of a weight, a token of an
// activation), or all of the tensor.
enum class Granularity { kBlock, kRow, kTensor };

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

// How one tensor is quantized and pruned. A grid is shared by `block` consecutive numbers of a row; a shorter tail is a
// block.
struct QuantizerSpec {
  std::string estimator = "none";
  Format format = Format::kNone;
  Scheme scheme = Scheme::kAffine;
  int64_t block = 128;
  double lambda = 0.01;  // Ridge penalty beside Var(q) (affine) or mean q^2 (linear): means in both, METHODS 0.3.
  GridGradient grid_gradient = GridGradient::kDetached;
  GridStatistics grid = GridStatistics::kMinMax;
  FitGradient fit_gradient = FitGradient::kOwn;  // The values are the same in all three.
  // quest and ridge_trust: gradients pass where x is at most this many outermost levels from the grid's centre. 0: the
  // estimator's own, TrustOf.
  double trust = 0;
  bool hadamard =
      false;  // Quantize H x for the normalised Hadamard matrix H of each block, and rotate the result back.
  bool hadamard_signs = false;  // H D x instead, with the signs D of HadamardSign along the row (hadamard_sign.h).
  // With hadamard: x_hat is left rotated, and dL/dx_hat comes rotated. For both operands of a product, whose rotations
  // cancel.
  bool stays_rotated = false;
  Granularity granularity = Granularity::kBlock;
  // nvfp4 and nvint4: the largest finite |x| of the tensor (of H x with hadamard), which sets the tensor's own scale.
  // FakeQuantize fills it in; 0 stands for a tensor scale of 1.
  double tensor_max = 0;
  // Pruning comes first and is noise to gradients, too: x_kept = x + sg(mask * x - x), with a new mask in each pass.
  // The grid is that of the kept numbers; a pruned one has the code 0 in every format and decodes to 0. With hadamard
  // the pattern is that of H x, which is what is stored. Formats of none are pruned alone.
  SparsityPattern sparsity;
  double mask_decay = 0;  // SR-STE (METHODS A12): dL/dx of a pruned x gains mask_decay * x. 0: the plain mask.
  // gaussws and diffq: round, as a model that is used does, instead of adding noise. FakeQuantize rounds wherever
  // gradients are off; who calls QuantizedValues for an evaluation says so here.
  bool hard_rounding = false;

  bool quantizes() const { return format != Format::kNone && estimator != "none"; }
  bool adds_noise() const { return estimator == "gaussws" || estimator == "diffq"; }
  // lsq, paretoq, post and asq: the scale is a parameter of the model (quant/autograd/learned_scale.h).
  bool learns_scale() const;
  // Of ridge and ridge_trust.
  bool detaches_fit() const;
  bool enabled() const { return quantizes() || sparsity.is_sparse(); }
};

absl::StatusOr<Format> ParseFormat(std::string_view name);
absl::StatusOr<Scheme> ParseScheme(std::string_view name);
absl::StatusOr<Granularity> ParseGranularity(std::string_view name);
absl::StatusOr<GridGradient> ParseGridGradient(std::string_view name);
absl::StatusOr<FitGradient> ParseFitGradient(std::string_view name);
absl::StatusOr<GridStatistics> ParseGridStatistics(std::string_view name);
std::string_view FormatName(Format format);
std::string_view SchemeName(Scheme scheme);
std::string_view GridStatisticsName(GridStatistics grid);
std::string_view GranularityName(Granularity granularity);

// INVALID_ARGUMENT if the combination has no definition (affine ternary, affine quest, quest or ridge_trust on another
// grid than a detached Gaussian one, a detached fit on a grid in the graph, a Hadamard block that is no power of two,
// affine sparsity, a block that cuts a sparse group), or block, lambda, trust or mask_decay is out of range.
absl::Status ValidateQuantizerSpec(const QuantizerSpec& spec);

// INVALID_ARGUMENT if rows of `features` numbers cannot be cut into the spec's blocks: a Hadamard block and a sparse
// group have no tail.
absl::Status ValidateFeatures(const QuantizerSpec& spec, int64_t features);

// Of quest and ridge_trust: spec.trust, or what they have of their own. One bit: 1.30 (METHODS A7; three in ten of a
// Gaussian block are beyond). Others: 0, which stands for half a step beyond the outermost level, where the grid begins
// to clip. (Recipes give ridge_trust's ternary weights 1.)
double TrustOf(const QuantizerSpec& spec);

// The spec with what it leaves to its estimator filled in: `trust` as TrustOf, `fit_gradient` graph or detached.
// Kernels compute with it, and need not look at names for each block.
QuantizerSpec ResolveDefaults(const QuantizerSpec& spec);

// The outermost level of the format's symmetric grid that loses least of N(0, 1) in mean square, in standard deviations
// (METHODS A7). A constant expression, as IntegerBits: kernels ask for each block. REQUIRES: a format whose scale is
// stored as it is (ScaleEncoding::kFloat16), other than none and BitMoD.
constexpr double GaussianExtent(Format format) {
  switch (format) {
    case Format::kInt1:
      return 0.7978845608028654;  // sqrt(2 / pi)
    case Format::kTernary:
      return 1.2240090;
    case Format::kInt2:
      return 1.4935346;
    case Format::kInt3:
      return 2.0510684;
    case Format::kInt4:
      return 2.5139306;
    case Format::kInt5:
      return 2.9160938;
    case Format::kInt6:
      return 3.2765973;
    case Format::kInt7:
      return 3.6010497;
    case Format::kInt8:
      return 3.8849387;
    case Format::kFp4:
      return 2.9224750;
    case Format::kFp6E2M3:
      return 3.7475405;
    case Format::kFp6E3M2:
      return 4.5417580;
    // Nearly the same at every doubling, up to where subnormal numbers begin to count.
    case Format::kFp8E4M3:
      return 18.257973;
    case Format::kFp8E5M2:
      return 72.296061;
    default:
      return 0;
  }
}

// Bits of an integer format. REQUIRES: an int format, mxint8 or nvint4.
constexpr int IntegerBits(Format format) {
  switch (format) {
    case Format::kInt1:
      return 1;
    case Format::kInt2:
      return 2;
    case Format::kInt3:
      return 3;
    case Format::kInt4:
    case Format::kNvInt4:
      return 4;
    case Format::kInt5:
      return 5;
    case Format::kInt6:
      return 6;
    case Format::kInt7:
      return 7;
    case Format::kInt8:
    case Format::kMxInt8:
      return 8;
    default:
      return 0;
  }
}

// Stored bits of one code. Ternary packs five codes into a byte.
double CodeBits(Format format);

// Stored bits of what one grid needs beside its codes: its scale in the format's encoding, 16 bits of an offset where
// the scheme has one, 2 bits to select a BitMoD type.
double GridMetadataBits(const QuantizerSpec& spec);

// Stored bits that say which n of m consecutive numbers are kept: log2 of the number of choices, rounded up for each
// group on its own (2:4 3 bits, 1:4 2, 4:8 7). 0 when dense. REQUIRES: m <= kLargestSparsityGroup.
int MaskBitsPerGroup(const SparsityPattern& sparsity);

// Stored bits of what a whole tensor needs once: the NV formats' float32 scale.
double TensorMetadataBits(Format format);

}  // namespace ridgeline
