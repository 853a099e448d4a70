// SPDX-License-Identifier: Apache-2.0
#include "worker/rank_device.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "common/status_macros.h"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

Json GpuJson(const Gpu& gpu) {
  return {gpu.uuid, gpu.name, gpu.memory_bytes, gpu.compute_capability, gpu.is_partition};
}

std::string OfferText(const RankOffer& offer) {
  Json gpus = Json::array();
  for (const Gpu& gpu : offer.gpus) gpus.push_back(GpuJson(gpu));
  const Json json = {{"wish", static_cast<int>(offer.wish)},
                     {"node", offer.node},
                     {"host_memory_bytes", offer.host_memory_bytes},
                     {"has_cuda", offer.has_cuda},
                     {"gpus", gpus},
                     {"why_no_gpus", offer.why_no_gpus},
                     {"error", offer.error}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

RankOffer OfferOf(const Json& json) {
  RankOffer offer{.wish = static_cast<DeviceWish>(json.at("wish").get<int>()), .node = json.at("node").get<int>()};
  offer.host_memory_bytes = json.at("host_memory_bytes").get<int64_t>();
  offer.has_cuda = json.at("has_cuda").get<bool>();
  for (const Json& gpu : json.at("gpus"))
    offer.gpus.push_back({gpu.at(0).get<std::string>(), gpu.at(1).get<std::string>(), gpu.at(2).get<int64_t>(),
                          gpu.at(3).get<std::string>(), gpu.at(4).get<bool>()});
  offer.why_no_gpus = json.at("why_no_gpus").get<std::string>();
  offer.error = json.at("error").get<std::string>();
  return offer;
}

}  // namespace

absl::StatusOr<Placement> PlaceGroup(const RankOffer& offer, Communicator& communicator) {
  std::vector<std::string> by_rank;
  RETURN_IF_ERROR(communicator.GatherToRoot(OfferText(offer), &by_rank, "devices of the ranks"));
  std::string all = Json(by_rank).dump();
  RETURN_IF_ERROR(communicator.BroadcastFromRoot(&all, "devices of the ranks"));
  std::vector<RankOffer> offers;
  try {
    for (const Json& text : Json::parse(all)) offers.push_back(OfferOf(Json::parse(text.get<std::string>())));
  } catch (const Json::exception& error) {
    return absl::InternalError(std::string("ranks of different versions: ") + error.what());
  }
  return PlaceRanks(offers);
}

v1::Device DeviceMessage(const RankDevice& device) {
  v1::Device message;
  message.set_kind(device.is_cuda ? "cuda" : "cpu");
  message.set_name(device.name);
  message.set_index(device.index);
  message.set_memory_bytes(device.memory_bytes);
  message.set_compute_capability(device.compute_capability);
  message.set_is_partition(device.is_partition);
  return message;
}

void UseRankDevice(const RankDevice& device) {
  if (!device.is_cuda) return;
  ::setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", /*replace=*/0);
  if (!device.visible_devices.empty()) ::setenv("CUDA_VISIBLE_DEVICES", device.visible_devices.c_str(), 1);
}

}  // namespace ridgeline
