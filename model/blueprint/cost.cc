// SPDX-License-Identifier: Apache-2.0
#include "model/blueprint/cost.h"

#include <vector>

namespace ridgeline {

ModelCost CostOf(const ParameterList& parameters, const Quantizers& quantizers) {
  std::vector<LinearCost> linears;
  LinearCost head;
  int64_t other_elements = 0;
  for (const ParameterShape& parameter : parameters) {
    const LinearCost cost{.name = parameter.name,
                          .rows = parameter.rows(),
                          .columns = parameter.columns(),
                          .weight = WeightQuantizerOf(parameter, quantizers),
                          .activation = InputQuantizerOf(parameter, quantizers)};
    if (parameter.kind == ParameterKind::kLinear)
      linears.push_back(cost);
    else if (parameter.kind == ParameterKind::kEmbedding)
      head = cost;
    else if (parameter.kind != ParameterKind::kWeightScale)
      other_elements += parameter.elements();
  }
  return CostOfModel(linears, head, other_elements);
}

}  // namespace ridgeline
