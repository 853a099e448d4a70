// SPDX-License-Identifier: Apache-2.0
#include "quant/cost/qsnr.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ridgeline {
namespace {

constexpr double kNvBlock = 16;

// How much larger a scale is than max |x| needs.
double Overshoot(ScaleEncoding scale) { return scale == ScaleEncoding::kPowerOfTwo ? 1.5 : 1; }

// Energy of N(0, 1) beyond +-t, and the probability of what lies within.
double EnergyBeyond(double t) {
  return std::erfc(t / std::numbers::sqrt2) + 2 * t * std::exp(-t * t / 2) / std::sqrt(2 * std::numbers::pi);
}
double ProbabilityWithin(double t) { return std::erf(t / std::numbers::sqrt2); }

double Decibels(double noise) { return -10 * std::log10(noise); }

}  // namespace

double IntegerQsnrDb(int bits, ScaleEncoding scale, double crest_factor) {
  const double step = Overshoot(scale) * crest_factor * std::exp2(1 - bits);  // In sigma.
  const double share_with_error = scale == ScaleEncoding::kE4m3 ? (kNvBlock - 1) / kNvBlock : 1;
  return Decibels(share_with_error * step * step / 12);
}

// Normal numbers lose 2^-2M / 24 of their energy, the others the noise of the subnormal step.
double FloatQsnrDb(const FloatElement& element, ScaleEncoding scale, double crest_factor) {
  const double unit = Overshoot(scale) * crest_factor / element.largest;  // The scale, in sigma.
  const double smallest_normal = unit * std::exp2(element.smallest_exponent());
  const double subnormal_step = smallest_normal * std::exp2(-element.mantissa_bits);
  double normal_energy = EnergyBeyond(smallest_normal);
  if (scale == ScaleEncoding::kE4m3)
    normal_energy = std::max(0.0, normal_energy - crest_factor * crest_factor / kNvBlock);
  const double relative_noise = std::exp2(-2 * element.mantissa_bits) / 24;
  return Decibels(relative_noise * normal_energy +
                  subnormal_step * subnormal_step / 12 * ProbabilityWithin(smallest_normal));
}

double CrestFactorCrossover(int bits, const FloatElement& element, ScaleEncoding scale) {
  double low = 1, high = 40;
  for (int halvings = 0; halvings < 60; ++halvings) {
    const double middle = (low + high) / 2;
    (IntegerQsnrDb(bits, scale, middle) > FloatQsnrDb(element, scale, middle) ? low : high) = middle;
  }
  return low;
}

}  // namespace ridgeline
