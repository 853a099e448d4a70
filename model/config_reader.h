// SPDX-License-Identifier: Apache-2.0
// A config.json read key by key. Whatever is in the file is used, known to be harmless, or an error: a key that changes
// what a network computes and is passed over would give wrong numbers without a word. docs/formats.md has the table.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "nlohmann/json.hpp"

namespace ridgeline {

// Sizes beyond it are refused: no model comes near, and products of two of them stay far from overflow.
inline constexpr double kMaxModelSize = 1e7;

// Keys that transformers and its tools write and that change nothing of what Ridgeline computes from weights: how text
// is sampled, what training drops out, what wrote the file.
std::span<const std::string_view> HarmlessConfigKeys();

// The first fault is kept, as INVALID_ARGUMENT: "PATH: KEY: what is wrong". One thread.
class ConfigReader {
 public:
  // `object` must outlive the reader. `inside` names the part of the file that it is, as in "text_config."
  ConfigReader(const nlohmann::json& object, std::string path, std::string inside = "");

  // A whole number from 1 to kMaxModelSize. What is absent stays as it is; null is refused.
  void Size(const char* key, int64_t* value);
  // The same under either name; both must agree.
  void Size(const char* key, const char* alias, int64_t* value);
  // A finite number. What is absent or null stays as it is.
  void Number(const char* key, double* value);
  // Absent, null, or one of these: Ridgeline computes nothing else.
  void Only(const char* key, std::initializer_list<nlohmann::json> accepted);
  // The classes of transformers that the weights are for.
  void Architectures(std::initializer_list<const char*> accepted);
  // What transformers can do to any decoder, and Ridgeline does not compute: cross-attention, pruned heads, layers that
  // differ.
  void RefuseOtherShapes();
  // The value, which counts as used; nullptr if it is absent or null.
  const nlohmann::json* Find(const char* key);
  std::string Text(const char* key);  // Empty if it is no text.
  void Allow(std::initializer_list<const char*> keys) { used_.insert(keys.begin(), keys.end()); }

  void Fail(const std::string& key, const std::string& what);
  bool ok() const { return status_.ok(); }

  // Every key that was not asked for and is not in `harmless` is a fault. null, NaN and an infinity in such a key say
  // nothing, and are passed over.
  absl::Status Finish(std::span<const std::string_view> harmless = HarmlessConfigKeys());

 private:
  const nlohmann::json& object_;
  const std::string path_, inside_;
  std::set<std::string, std::less<>> used_;
  absl::Status status_;
};

}  // namespace ridgeline
