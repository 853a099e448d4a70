// SPDX-License-Identifier: Apache-2.0
#include "weights/json.h"

#include <set>
#include <string>
#include <vector>

#include "fmt/format.h"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

// nlohmann's parser asks it at every value; what it declines is not kept.
class Strict {
 public:
  explicit Strict(int max_depth) : max_depth_(max_depth) {}

  // `depth` is that of the parent: 0 for the outermost value.
  bool Keep(int depth, Json::parse_event_t event, const Json& parsed) {
    if (!fault_.empty()) return false;
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) {
      if (depth >= max_depth_) fault_ = fmt::format("it is nested more than {} levels deep", max_depth_);
      keys_.resize(static_cast<size_t>(depth) + 1);
      keys_.back().clear();
    } else if (event == Json::parse_event_t::key) {
      const std::string& key = parsed.get_ref<const std::string&>();
      if (!keys_[static_cast<size_t>(depth) - 1].insert(key).second) fault_ = fmt::format("the key '{}' repeats", key);
    }
    return fault_.empty();
  }

  const std::string& fault() const { return fault_; }

 private:
  int max_depth_;
  std::string fault_;
  std::vector<std::set<std::string>> keys_;  // By depth, of the objects that are open
};

}  // namespace

absl::StatusOr<Json> ParseJsonObject(std::string_view text, int max_depth) {
  Strict strict(max_depth);
  auto keep = [&](int depth, Json::parse_event_t event, Json& parsed) { return strict.Keep(depth, event, parsed); };
  Json json = Json::parse(text.begin(), text.end(), keep, /*allow_exceptions=*/false);
  if (!strict.fault().empty()) return absl::DataLossError(strict.fault());
  if (!json.is_object()) return absl::DataLossError("it is not a JSON object");
  return json;
}

}  // namespace ridgeline
