// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/packed_rows.h"

#include <optional>

#include "method/resolved_spec.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// Parts of any lengths lie before them: numbers may begin where no number of their type would.
at::Tensor AsBytes(const at::Tensor& numbers) { return numbers.view({-1}).view(at::kByte); }

bool IsAsCodes(const Parameter& parameter, RowRange rows) {
  return TravelsAsCodes(parameter.quantizer.spec, rows.count(), parameter.shape->columns());
}

}  // namespace

void WriteOwnRows(Parameter* parameter, at::ScalarType dtype, at::Tensor bytes) {
  if (parameter->sharing.own_rows.count() == 0) return;
  at::NoGradGuard no_grad;
  const WeightQuantizer& quantizer = parameter->quantizer;
  const bool as_codes = IsAsCodes(*parameter, parameter->sharing.own_rows);
  at::Tensor values;
  if (!quantizer.spec.enabled())
    values = parameter->master.to(dtype);
  else if (!as_codes || quantizer.scale != nullptr || !PassesGradient(quantizer.spec))
    values = parameter->OwnValues(dtype);
  if (!as_codes) {
    bytes.copy_(AsBytes(values));
    return;
  }
  std::optional<at::Tensor> scales;
  if (quantizer.scale != nullptr) scales = quantizer.scale->master;
  parameter->ops->EncodeRows(parameter->master, quantizer.spec, scales, bytes);
}

void ReadRows(const at::Tensor& bytes, const Parameter& parameter, RowRange rows, at::Tensor& compute) {
  if (rows.count() == 0) return;
  at::Tensor own = compute.narrow(0, rows.begin, rows.count());
  if (IsAsCodes(parameter, rows))
    parameter.ops->DecodeRows(bytes, parameter.quantizer.spec, own);
  else
    AsBytes(own).copy_(bytes);
}

}  // namespace ridgeline
