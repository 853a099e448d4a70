// SPDX-License-Identifier: Apache-2.0
#include "comm/agreement.h"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

// What a rank says of itself: 0, or its error's code, and this added where a disk is full.
constexpr int kForRoom = 1000;

double NumberOf(const absl::Status& status) { return status.raw_code() + (IsNoRoom(status) ? kForRoom : 0); }

absl::Status ErrorOf(double number, const std::string& message) {
  const int code = static_cast<int>(number);
  if (code < kForRoom) return absl::Status(static_cast<absl::StatusCode>(code), message);
  return MarkNoRoom(absl::Status(static_cast<absl::StatusCode>(code - kForRoom), message));
}

// Of an error that one rank tells the others.
constexpr size_t kMaxMessageBytes = 1024;

// The text of one rank's error, on all ranks: its characters summed with everybody else's zeros.
absl::StatusOr<std::string> MessageOfRank(int rank, const absl::Status& mine, Communicator& communicator) {
  std::vector<float> characters(kMaxMessageBytes, 0);
  if (communicator.rank() == rank) {
    std::string text(mine.message());
    for (size_t i = 0; i < std::min(text.size(), characters.size()); ++i)
      characters[i] = static_cast<float>(static_cast<unsigned char>(text[i]));
  }
  RETURN_IF_ERROR(communicator.AllReduceSum(std::span<float>(characters), "error message"));
  std::string message = fmt::format("rank {}: ", rank);
  for (float character : characters)
    if (character != 0) message += static_cast<char>(static_cast<unsigned char>(character));
  return message;
}

}  // namespace

absl::Status AgreeThatAllSucceeded(const absl::Status& mine, const char* what, Communicator& communicator) {
  std::vector<double> failed(static_cast<size_t>(communicator.size()), 0);
  failed[static_cast<size_t>(communicator.rank())] = mine.ok() ? 0 : NumberOf(mine);
  RETURN_IF_ERROR(communicator.AllReduceSum(std::span<double>(failed), what));
  auto first = std::find_if(failed.begin(), failed.end(), [](double number) { return number > 0; });
  if (first == failed.end()) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::string message, MessageOfRank(static_cast<int>(first - failed.begin()), mine, communicator));
  return ErrorOf(*first, message);
}

}  // namespace ridgeline
