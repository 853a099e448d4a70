// SPDX-License-Identifier: Apache-2.0
#include "worker/hand_over.h"

#include <array>
#include <span>

#include "common/status_macros.h"

namespace ridgeline {
namespace {

const char* NameOf(Order order) {
  switch (order) {
    case Order::kAttempt:
      return "assignment";
    case Order::kRollCall:
      return "roll call";
    case Order::kEnd:
      return "end of the group";
  }
  return "unknown order";
}

}  // namespace

absl::StatusOr<HandOver> HandOverFromRoot(const HandOver& from_root, const RankMemory& memory,
                                          Communicator& communicator) {
  const bool is_root = communicator.rank() == 0;
  std::string bytes;
  if (is_root) bytes = static_cast<char>(from_root.order) + from_root.assignment;
  RETURN_IF_ERROR(communicator.AwaitRoot(&bytes, is_root ? NameOf(from_root.order) : "wait for work"));
  if (bytes.empty()) return absl::InternalError("rank 0 told nothing");
  HandOver told{.order = static_cast<Order>(bytes[0]), .assignment = bytes.substr(1)};
  std::array<double, 2> others = {};
  if (!is_root) others = {static_cast<double>(memory.host_bytes), static_cast<double>(memory.device_bytes)};
  RETURN_IF_ERROR(communicator.AllReduceSum(std::span<double>(others), NameOf(told.order)));
  told.others_memory_bytes = static_cast<int64_t>(others[0]);
  told.others_device_bytes = static_cast<int64_t>(others[1]);
  return told;
}

}  // namespace ridgeline
