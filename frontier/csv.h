// SPDX-License-Identifier: Apache-2.0
// Frontier points as CSV (RFC 4180), the exchange format of `frontier export`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ridgeline/v1/frontier.pb.h"

namespace ridgeline {

// Names and order are a contract with other tools; add columns only at the end, and only with a new version.
inline constexpr std::string_view kFrontierColumns =
    "point_id,job_id,model,dataset,estimator,weight_format,weight_scheme,weight_block,activation_format,"
    "activation_scheme,activation_block,hadamard,sparsity,steps,tokens,seed,loss,accuracy,storage_bytes,"
    "bits_per_element,energy_proxy,energy_joules_per_token,decode_tokens_per_second,pareto,second_loss,name,"
    "artifact_sha256,energy_source,energy_low_joules_per_token,energy_high_joules_per_token,"
    "energy_above_idle_joules_per_token,prefill_tokens_per_second,cpu,threads,embedding_format";

// Header and one line a point; what was not measured is empty. Numbers read back to the same value. Joules without a
// known source (frontier/energy.h) can be compared with nothing and are not written.
std::string FrontierToCsv(const std::vector<v1::FrontierPoint>& points);

// Also files of earlier versions, whose header ends sooner: their joules have no source; and behind a UTF-8 byte order
// mark. INVALID_ARGUMENT with line and column name for anything else that FrontierToCsv would not write, and with both
// lines for a point that is there twice.
absl::StatusOr<std::vector<v1::FrontierPoint>> FrontierFromCsv(std::string_view csv);

}  // namespace ridgeline
