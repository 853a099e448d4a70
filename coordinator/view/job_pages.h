// SPDX-License-Identifier: Apache-2.0
// Lists of jobs, a page at a time: no answer grows with how many jobs there are, nor with what one of them holds.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "coordinator/state/coordinator_state.h"
#include "ridgeline/v1/coordinator.pb.h"

namespace ridgeline {

// gRPC's clients take 4 MiB where they do not ask for more. What an answer holds beside what is counted fits between.
inline constexpr int64_t kMaxAnswerBytes = int64_t{3} << 20;

bool MatchesSelector(const CoordinatorState& state, const v1::Job& job,
                     const google::protobuf::Map<std::string, std::string>& selector);

// Copies the jobs of the page that the request asks for, and says where the next begins. A token is a job's number, so
// that jobs which come, change or end meanwhile neither repeat nor hide others. INVALID_ARGUMENT: not a token.
absl::Status CopyPage(const CoordinatorState& state, const v1::ListJobsRequest& request,
                      v1::ListJobsResponse* response);

// Leaves out what only `get` shows in full: earlier attempts, and the ends of long texts.
void ShortenForList(v1::Job* job);

}  // namespace ridgeline
