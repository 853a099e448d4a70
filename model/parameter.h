// SPDX-License-Identifier: Apache-2.0
// A trained tensor in its two forms: the float32 master that the optimizer steps, and what layers compute with.
#pragma once

#include <ATen/core/Tensor.h>

#include <limits>
#include <memory>
#include <string>

#include "method/quantizer_spec.h"
#include "model/blueprint/parameter_shape.h"
#include "model/blueprint/shards.h"
#include "model/ops/ops.h"

namespace ridgeline {

class InputQuantizer;
class PackedMatrix;
class UnitKeeper;
struct Parameter;

// dL/dcompute, summed over micro-batches: a layer's backward pass adds to it itself, so that a matrix product ends
// where the optimizer reads it, without another pass over memory.
struct GradientSlot {
  at::Tensor sum;        // float32 or the compute dtype. Undefined outside of training.
  bool is_empty = true;  // Nothing was added since it was emptied: its memory may hold anything.

  bool is_wanted() const { return sum.defined(); }
  // += a @ b, of shapes (rows, k) and (k, columns).
  void AddProduct(const Ops& ops, const at::Tensor& a, const at::Tensor& b);
  // += g
  void Add(const at::Tensor& g);
  // The sum, zeroed first if it is empty.
  at::Tensor& Zeroed();
};

// What stands between a master and what layers compute with.
struct WeightQuantizer {
  QuantizerSpec spec;
  at::Tensor saved;            // What the backward pass needs of the forward pass beside the master, if anything.
  Parameter* scale = nullptr;  // Of one that learns it (lsq, paretoq, post): (rows, 1) or (1, 1). The model has it
                               // before the parameter, so that it is stepped first.
};

// Who has it, where the ranks of a group share the parameter. Master, and outside of passes the gradient, then hold own
// rows alone; `compute` and the gradient are there and whole while the keeper makes them be. A learned scale that is
// shared is never whole.
struct Sharing {
  RowRange own_rows;
  bool is_shared = false;
  UnitKeeper* keeper = nullptr;  // The model's, of a shared parameter.
  bool is_stale = true;          // Shared: the keeper has not quantized the master as it is now.

  bool has_no_rows() const { return is_shared && own_rows.count() == 0; }
};

// What the optimizer must know.
struct StepRules {
  bool decays = false;                                         // Matrices decay; norms, biases and scales do not.
  double smallest = -std::numeric_limits<double>::infinity();  // No element is stepped below it.
};

// A trained tensor, no autograd leaf. Owned by its model; used by one thread.
struct Parameter {
  std::string name;    // Its shape's.
  at::Tensor master;   // float32. What checkpoints hold, and the optimizer steps.
  at::Tensor compute;  // In the model's compute dtype, quantized where `quantizer` says so, and left rotated where it
                       // says that. The master itself where that is the same thing. Norm weights and biases are
                       // always computed in float32.
  WeightQuantizer quantizer;
  InputQuantizer* input = nullptr;  // Of a layer's matrix: what quantizes its input, null where that stays as it is.
  // In a packed model that is used: what layers multiply with (model/weight_product.h). Then there is neither master
  // nor compute, and if it quantizes their inputs, `input` is null.
  std::shared_ptr<const PackedMatrix> packed;
  const ParameterShape* shape = nullptr;  // Its row of the network's list, which the model owns.
  const Ops* ops = &CpuOps();             // The model's.
  Sharing sharing;
  StepRules step;
  bool of_quantizer = false;  // A learned scale, or what computes one: no weight of the network's own.
  GradientSlot gradient;
  bool may_be_unset = true;  // What is_unset() remembers.

  bool computes_with_master() const { return compute.is_same(master); }

  // compute = quantized and converted master. Once per optimizer step. A learned scale of zeros is set from the
  // master first. Of a shared parameter is_stale is set instead.
  void RefreshCompute();
  // What RefreshCompute would write, of own rows, in float32 or bfloat16; sets what the quantizer saves.
  at::Tensor OwnValues(at::ScalarType dtype);

  // dL/dcompute becomes dL/dmaster, and the scale receives its own. Once per optimizer step; a no-op without a
  // quantizer.
  void PassGradientThroughQuantizer();
  // Whether a row of `compute` and its gradient need no other row.
  bool refreshes_by_rows() const;
  // Those two for rows begin .. end - 1, on any thread, and in parallel for rows apart. REQUIRES: refreshes_by_rows(),
  // and RefreshCompute under this quantizer before, which gives what it saves its size.
  void RefreshRows(int64_t begin, int64_t end);
  void PassGradientOfRows(int64_t begin, int64_t end);
  // Numbers that lie together: of a matrix a row.
  int64_t row_length() const;

  // What `compute` stands for, not rotated, in its dtype.
  at::Tensor Values() const;
  // ||Values() - master||^2 / ||master||^2 of a quantized parameter, with rounding where training has noise. Of own
  // rows, of which there is one at least.
  double QuantizationErrorRatio() const;

  // Whether a scale waits for its first numbers. Looks at the master, and so waits for its device, until it has them.
  bool is_unset();

 private:
  at::Tensor LearnedValues();
  void PassGradientThroughLearnedScale();
  int64_t NumbersPerScale() const;
};

}  // namespace ridgeline
