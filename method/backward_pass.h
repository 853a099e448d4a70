// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ridgeline {

// What the backward pass of a quantizer is, and what it needs beside dL/dx_hat.
//   kPasses   dL/dx = dL/dx_hat whatever x is: nothing
//   kTrusted  dL/dx_hat where the forward pass trusts x and 0 elsewhere (of H x with hadamard): a bit an element
//   kFit      through a regression: x, and that of each block and its grid
//   kOwn      a formula of its own: x
enum class BackwardPass { kPasses, kTrusted, kFit, kOwn };

}  // namespace ridgeline
