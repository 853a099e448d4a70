// SPDX-License-Identifier: Apache-2.0
// The plain twins of rows.h, in double: what the fast ones are held to.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace ridgeline::rows {

using Doubles = std::vector<double>;

inline double InverseRms_ref(const Doubles& x, double epsilon) {
  double squares = 0;
  for (double v : x) squares += v * v;
  return 1 / std::sqrt(squares / static_cast<double>(x.size()) + epsilon);
}

inline Doubles RmsNorm_ref(const Doubles& x, const Doubles& weight, double epsilon) {
  Doubles y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] * InverseRms_ref(x, epsilon) * (1 + weight[i]);
  return y;
}

inline Doubles Rotate_ref(const Doubles& x, const Doubles& cosines, const Doubles& sines, double direction) {
  const size_t half = x.size() / 2;
  Doubles y(x.size());
  for (size_t i = 0; i < half; ++i) {
    y[i] = x[i] * cosines[i] - x[half + i] * direction * sines[i];
    y[half + i] = x[half + i] * cosines[i] + x[i] * direction * sines[i];
  }
  return y;
}

inline double Gelu_ref(double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

inline Doubles Softmax_ref(const Doubles& x, double temperature = 1) {
  const double largest = *std::max_element(x.begin(), x.end());
  Doubles p(x.size());
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += p[i] = std::exp((x[i] - largest) / temperature);
  for (double& v : p) v /= sum;
  return p;
}

struct AdamwState {
  double weight, m, v;
};

inline AdamwState Adamw_ref(AdamwState s, double g, double learning_rate, double beta1, double beta2, double epsilon,
                            double weight_decay, double step) {
  s.weight -= learning_rate * weight_decay * s.weight;
  s.m = beta1 * s.m + (1 - beta1) * g;
  s.v = beta2 * s.v + (1 - beta2) * g * g;
  const double mean = s.m / (1 - std::pow(beta1, step)), square = s.v / (1 - std::pow(beta2, step));
  s.weight -= learning_rate * mean / (std::sqrt(square) + epsilon);
  return s;
}

}  // namespace ridgeline::rows
