// SPDX-License-Identifier: Apache-2.0
#include "model/blueprint/cost.h"

#include <vector>

namespace ridgeline {

ModelCost CostOf(const ParameterList& parameters, const Quantizers& quantizers) {
  std::vector<LinearCost> linears;
  int64_t other_elements = 0;
  for (const ParameterShape& parameter : parameters) {
    if (parameter.kind == ParameterKind::kLinear)
      linears.push_back({.name = parameter.name,
                         .rows = parameter.rows(),
                         .columns = parameter.columns(),
                         .weight = WeightQuantizerOf(parameter, quantizers),
                         .activation = InputQuantizerOf(parameter, quantizers)});
    else if (parameter.kind != ParameterKind::kWeightScale)
      other_elements += parameter.elements();
  }
  return CostOfModel(linears, other_elements, parameters.front().elements());
}

}  // namespace ridgeline
