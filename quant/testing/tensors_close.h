// SPDX-License-Identifier: Apache-2.0
// quant/testing/all_close.h for LibTorch's tensors, of any type and place in memory. For tests only; header only.
#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "quant/testing/all_close.h"

namespace ridgeline {

inline std::vector<double> NumbersOf(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

inline testing::AssertionResult SameShape(const at::Tensor& got, const at::Tensor& expected) {
  if (got.sizes() == expected.sizes()) return testing::AssertionSuccess();
  std::ostringstream shapes;
  shapes << "shape " << got.sizes() << " where " << expected.sizes() << " is expected";
  return testing::AssertionFailure() << shapes.str();
}

// No number is off by more than `tolerance`; shapes are the same.
inline testing::AssertionResult AllNear(const at::Tensor& got, const at::Tensor& expected, double tolerance) {
  const testing::AssertionResult same = SameShape(got, expected);
  return same ? AllNear(NumbersOf(got), NumbersOf(expected), tolerance) : same;
}

// The same, with a tolerance relative to the largest number that is expected.
inline testing::AssertionResult AllClose(const at::Tensor& got, const at::Tensor& expected, double tolerance) {
  const testing::AssertionResult same = SameShape(got, expected);
  return same ? AllClose(NumbersOf(got), NumbersOf(expected), tolerance) : same;
}

}  // namespace ridgeline
