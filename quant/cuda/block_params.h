// SPDX-License-Identifier: Apache-2.0
// A QuantizerSpec as plain numbers that a kernel takes by value: names and formats are resolved before a launch. Made
// by ParamsOfSpec (params_of_spec.h); nothing but the language is needed here, so that nvcc reads no other library's
// headers.
#pragma once

#include "quant/cuda/scalar_math.h"

namespace ridgeline::cuda {

enum class BlockEstimator { kPrune, kSte, kSteClip, kQuest, kRidge, kRidgeTrust };

// Where the outermost levels stand: at min and max, at max |x|, at mean |x|, at so many RMS.
enum class GridRule { kMinMax, kMaxAbs, kMeanAbs, kGaussian };

// Levels of codes: one apart from lowest to highest and `shift` off the integers, or those of `elements`.
struct CodeLevels {
  float lowest = 0;
  float highest = 0;
  float shift = 0;
  float half_last_step = 0.5f;
  bool is_sign = false;     // Linear 1 bit: the code is the sign of x, and sign(0) = +1.
  FloatLevels elements;     // Floating-point formats.
  float bitmod_nearer = 0;  // BitMoD's candidates for one more level, of either sign; 0 for other formats.
  float bitmod_farther = 0;
};

// How a block's scale is stored: as it is where neither is set.
struct StoredScale {
  FloatLevels float16;           // Of plain scales that are rounded as files have them, with the offset.
  float factor = 1;              // The float16 is so many times the scale.
  bool is_power_of_two = false;  // MX
  FloatLevels e4m3;              // NV, times the tensor's own scale
  float largest_share = 0;
  float tensor_scale = 1;
};

// f of trusted codes, ends included; `pruned` is the largest |f| of a trusted pruned element.
struct TrustedRange {
  float low = 0;
  float high = 0;
  float pruned = 0;
};

struct BlockParams {
  BlockEstimator estimator = BlockEstimator::kPrune;
  GridRule rule = GridRule::kMinMax;
  int block = 0;  // Numbers that share a grid; a row's tail is a block of fewer.
  bool is_affine = false;
  bool is_grid_in_graph = false;
  bool is_fit_detached = false;  // Of ridge and ridge_trust: what is left is the gradient of ste or quest.
  bool hadamard = false;
  bool has_signs = false;      // Before the Hadamard matrix, those of HadamardSign along the row.
  bool stays_rotated = false;  // x_hat is not rotated back, and v = dL/dx_hat comes rotated.
  float rotation_factor = 1;   // Normalises the Hadamard matrix.
  float gaussian_extent = 0;   // In RMS
  float lambda = 0;
  CodeLevels levels;
  bool stores_scales = false;  // A block without a grid is then constant, too.
  StoredScale stored_scale;
  TrustedRange trusted;
  int keep = 0;  // Of every `group` consecutive numbers; group 0 is dense.
  int group = 0;
  float mask_decay = 0;

  RIDGELINE_HOST_DEVICE bool is_sparse() const { return group > 0; }
  // x_hat, and v with it, leave and come as x does, and are rotated on the way.
  RIDGELINE_HOST_DEVICE bool rotates_values() const { return hadamard && !stays_rotated; }
};

}  // namespace ridgeline::cuda
