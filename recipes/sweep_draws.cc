// SPDX-License-Identifier: Apache-2.0
#include "recipes/sweep_draws.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "fmt/format.h"
#include "recipes/schema.h"

namespace ridgeline::recipe_internal {
namespace {

// SplitMix64's finalizer: every bit of the input decides every bit of the output.
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// FNV-1a.
uint64_t HashOf(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

// In [0, 1), with 53 bits.
double Uniform(const std::string& key, int64_t seed, int64_t trial) {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;
  const uint64_t start = Mix(static_cast<uint64_t>(seed) + kGolden) ^ HashOf(key);
  return static_cast<double>(Mix(start + kGolden * (static_cast<uint64_t>(trial) + 1)) >> 11) * 0x1p-53;
}

bool TakesWholeNumbers(const std::string& key) {
  const std::optional<ResolvedKey> resolved = ResolveKey(key);
  if (!resolved || resolved->field == nullptr || !IsScalar(resolved->field)) return false;
  const auto type = resolved->field->cpp_type();
  using google::protobuf::FieldDescriptor;
  return type == FieldDescriptor::CPPTYPE_INT32 || type == FieldDescriptor::CPPTYPE_INT64;
}

bool IsLog(const v1::SweepValues& range) { return range.scale() == "log"; }

double Between(const v1::SweepValues& range, double u) {
  if (!IsLog(range)) return range.min() + u * (range.max() - range.min());
  return std::exp(std::log(range.min()) + u * (std::log(range.max()) - std::log(range.min())));
}

}  // namespace

bool IsRange(const v1::SweepValues& values) { return values.has_min() || values.has_max() || values.has_scale(); }

std::optional<ValueError> CheckRange(const v1::SweepValues& range) {
  if (range.values_size() > 0) return ValueError{"has values and a range", "keep one of the two"};
  if (!range.has_min() || !range.has_max())
    return ValueError{"a range needs min and max", "for instance {min: 1e-4, max: 1e-2, scale: log}"};
  if (!std::isfinite(range.min()) || !std::isfinite(range.max()) || range.min() >= range.max())
    return ValueError{fmt::format("min {} is not below max {}", range.min(), range.max()), "exchange or change them"};
  if (range.has_scale() && range.scale() != "linear" && range.scale() != "log")
    return ValueError{fmt::format("scale {} is unknown", Shown(range.scale())), "allowed: linear, log"};
  if (IsLog(range) && range.min() <= 0)
    return ValueError{"a log scale has no place for 0 or less", "write a min above 0, or scale: linear"};
  return std::nullopt;
}

std::string DrawValue(const v1::SweepValues& values, const std::string& key, int64_t seed, int64_t trial) {
  const double u = Uniform(key, seed, trial);
  if (!IsRange(values)) {
    const auto index = static_cast<int>(u * values.values_size());
    return values.values(std::min(index, values.values_size() - 1));
  }
  const double value = Between(values, u);
  if (!TakesWholeNumbers(key)) return fmt::format("{:.4g}", std::clamp(value, values.min(), values.max()));
  return fmt::format("{:.0f}", std::clamp(std::round(value), std::ceil(values.min()), std::floor(values.max())));
}

}  // namespace ridgeline::recipe_internal
