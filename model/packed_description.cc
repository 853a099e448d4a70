// SPDX-License-Identifier: Apache-2.0
#include "model/packed_description.h"

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "method/estimator_traits.h"
#include "method/problems.h"
#include "weights/json.h"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

constexpr char kMethod[] = "ridgeline";
constexpr int kVersion = 1;
constexpr char kEmbeddingKey[] = "embedding";                                      // Files may lack it.
constexpr std::string_view kKeys[] = {"version", "weight", "activation", "skip"};  // Beside quant_method.

Json DescribeSpec(const QuantizerSpec& spec, Side side) {
  if (!spec.quantizes()) return nullptr;
  Json json = {{"estimator", spec.estimator},
               {"format", FormatName(spec.format)},
               {"scheme", SchemeName(spec.scheme)},
               {"grid", GridStatisticsName(spec.grid)},
               {"granularity", GranularityName(spec.granularity)},
               {"block", spec.block},
               {"hadamard", spec.hadamard},
               {"hadamard_signs", spec.hadamard_signs}};
  if (side == Side::kActivation) json["lambda"] = spec.lambda;
  if (side == Side::kWeight && spec.sparsity.is_sparse())
    json["sparsity"] = fmt::format("{}:{}", spec.sparsity.n, spec.sparsity.m);
  if (side == Side::kWeight && spec.scale_precision == ScalePrecision::kInt8) json["scales"] = "int8";
  return json;
}

Json DescribeEmbedding(const EmbeddingFormat& embedding) {
  if (embedding.format == Format::kNone) return nullptr;
  return {{"format", FormatName(embedding.format)}, {"block", embedding.block}};
}

// Reads one object; the first fault is kept.
class SpecReader {
 public:
  SpecReader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object()) Fail("", "is no object");
  }

  std::string Text(const char* key) {
    const Json* value = Find(key);
    if (value != nullptr && !value->is_string()) Fail(key, "is no text");
    return status_.ok() ? value->get<std::string>() : "";
  }
  bool Flag(const char* key) {
    const Json* value = Find(key);
    if (value != nullptr && !value->is_boolean()) Fail(key, "is neither true nor false");
    return status_.ok() && value->get<bool>();
  }
  int64_t Whole(const char* key) {
    const Json* value = Find(key);
    if (value != nullptr && !value->is_number_integer()) Fail(key, "is no whole number");
    return status_.ok() ? value->get<int64_t>() : 0;
  }
  double Number(const char* key) {
    const Json* value = Find(key);
    if (value != nullptr && !value->is_number()) Fail(key, "is no number");
    return status_.ok() ? value->get<double>() : 0;
  }
  bool Has(const char* key) const { return json_.is_object() && json_.contains(key); }
  template <typename Value>
  void Parse(const char* key, absl::StatusOr<Value> (*parse)(std::string_view), Value* value) {
    const std::string text = Text(key);
    if (!status_.ok()) return;
    const absl::StatusOr<Value> parsed = parse(text);
    if (!parsed.ok()) return Fail(key, std::string(parsed.status().message()));
    *value = *parsed;
  }

  void Fail(const std::string& key, const std::string& what) {
    if (status_.ok())
      status_ = absl::InvalidArgumentError(fmt::format("{}{}{}: {}", where_, key.empty() ? "" : ".", key, what));
  }
  absl::Status Finish() {
    if (!json_.is_object()) return status_;
    for (const auto& [key, value] : json_.items())
      if (!used_.contains(key)) Fail(key, "is not understood");
    return status_;
  }

 private:
  const Json* Find(const char* key) {
    used_.insert(key);
    if (!status_.ok()) return nullptr;
    if (!json_.contains(key)) Fail(key, "is missing");
    return status_.ok() ? &json_.at(key) : nullptr;
  }

  const Json& json_;
  const std::string where_;
  std::set<std::string> used_;
  absl::Status status_;
};

absl::StatusOr<SparsityPattern> ParsePattern(std::string_view text) {
  SparsityPattern pattern;
  char rest = 0;
  if (std::sscanf(std::string(text).c_str(), "%d:%d%c", &pattern.n, &pattern.m, &rest) == 2) return pattern;
  return absl::InvalidArgumentError(fmt::format("'{}' is no pattern such as 2:4", text));
}

absl::StatusOr<QuantizerSpec> SpecFrom(const Json& json, Side side, const std::string& where) {
  QuantizerSpec spec;
  if (json.is_null()) return spec;
  SpecReader reader(json, where);
  spec.estimator = reader.Text("estimator");
  reader.Parse("format", &ParseFormat, &spec.format);
  reader.Parse("scheme", &ParseScheme, &spec.scheme);
  reader.Parse("grid", &ParseGridStatistics, &spec.grid);
  reader.Parse("granularity", &ParseGranularity, &spec.granularity);
  spec.block = reader.Whole("block");
  spec.hadamard = reader.Flag("hadamard");
  spec.hadamard_signs = reader.Flag("hadamard_signs");
  if (side == Side::kActivation) spec.lambda = reader.Number("lambda");
  if (side == Side::kWeight) spec.scale_precision = ScalePrecision::kFloat16;
  if (side == Side::kWeight && reader.Has("scales")) reader.Parse("scales", &ParseStoredScales, &spec.scale_precision);
  if (side == Side::kWeight && reader.Has("sparsity")) reader.Parse("sparsity", &ParsePattern, &spec.sparsity);
  RETURN_IF_ERROR(reader.Finish());
  // How gradients pass is no matter of a file, but some estimators have one way alone.
  if (const EstimatorTraits* traits = FindEstimatorTraits(spec.estimator); traits != nullptr)
    spec.grid_gradient = traits->grid_gradient.value_or(GridGradient::kDetached);
  const absl::Status valid = ValidateQuantizerSpec(spec, side);
  if (!valid.ok()) reader.Fail("", std::string(valid.message()));
  if (!spec.quantizes()) reader.Fail("", "quantizes nothing: null says so");
  RETURN_IF_ERROR(reader.Finish());
  return spec;
}

absl::StatusOr<EmbeddingFormat> EmbeddingFrom(const Json& json, const std::string& where) {
  EmbeddingFormat embedding;
  if (json.is_null()) return embedding;
  SpecReader reader(json, where);
  reader.Parse("format", &ParseFormat, &embedding.format);
  embedding.block = reader.Whole("block");
  RETURN_IF_ERROR(reader.Finish());
  const QuantizerSpec spec = QuantizerOf(embedding);
  if (!spec.quantizes()) reader.Fail("", "quantizes nothing: null says so");
  const absl::Status valid = ValidateQuantizerSpec(spec, Side::kWeight);
  if (!valid.ok()) reader.Fail("", std::string(valid.message()));
  RETURN_IF_ERROR(reader.Finish());
  return embedding;
}

// The first key whose value is another one, dotted, with both values.
struct Difference {
  std::string key, ours, theirs;
};
std::optional<Difference> FirstDifference(const Json& ours, const Json& theirs, const std::string& key) {
  if (ours == theirs) return std::nullopt;
  if (!ours.is_object() || !theirs.is_object()) return Difference{key, ours.dump(), theirs.dump()};
  for (const auto& [name, value] : ours.items())
    if (!theirs.contains(name)) return Difference{key + "." + name, value.dump(), "nothing"};
  for (const auto& [name, value] : theirs.items()) {
    if (!ours.contains(name)) return Difference{key + "." + name, "nothing", value.dump()};
    if (auto difference = FirstDifference(ours[name], value, key + "." + name)) return difference;
  }
  return std::nullopt;
}

}  // namespace

bool IsPackedConfig(const Json& config) {
  if (!config.is_object() || !config.contains(kQuantizationKey)) return false;
  const Json& quantization = config[kQuantizationKey];
  return quantization.is_object() && quantization.contains("quant_method") &&
         quantization["quant_method"] == Json(kMethod);
}

Json DescribeQuantizers(const Quantizers& quantizers) {
  return {{"quant_method", kMethod},
          {"version", kVersion},
          {"weight", DescribeSpec(quantizers.weight, Side::kWeight)},
          {"activation", DescribeSpec(quantizers.activation, Side::kActivation)},
          {kEmbeddingKey, DescribeEmbedding(quantizers.embedding)},
          {"skip", quantizers.skip}};
}

std::string QuantizersText(const Quantizers& quantizers) {
  constexpr size_t kMultiple = 1024;
  std::string text = DescribeQuantizers(quantizers).dump();
  text.append((kMultiple - text.size() % kMultiple) % kMultiple, ' ');
  return text;
}

absl::StatusOr<Quantizers> QuantizersFromConfig(const Json& config, const std::string& path) {
  const Json& json = config[kQuantizationKey];
  const std::string where = fmt::format("{}: {}", path, kQuantizationKey);
  for (const std::string_view key : kKeys)
    if (!json.contains(key)) return absl::InvalidArgumentError(fmt::format("{}.{}: is missing", where, key));
  if (json["version"] != Json(kVersion))
    return absl::InvalidArgumentError(
        fmt::format("{}.version: is {}, and this program reads {}", where, json["version"].dump(), kVersion));
  for (const auto& [key, value] : json.items())
    if (std::find(std::begin(kKeys), std::end(kKeys), key) == std::end(kKeys) && key != kEmbeddingKey &&
        key != "quant_method")
      return absl::InvalidArgumentError(fmt::format("{}.{}: is not understood", where, key));
  Quantizers quantizers;
  ASSIGN_OR_RETURN(quantizers.weight, SpecFrom(json["weight"], Side::kWeight, where + ".weight"));
  ASSIGN_OR_RETURN(quantizers.activation, SpecFrom(json["activation"], Side::kActivation, where + ".activation"));
  if (json.contains(kEmbeddingKey)) {
    ASSIGN_OR_RETURN(quantizers.embedding, EmbeddingFrom(json[kEmbeddingKey], where + ".embedding"));
  }
  if (!json["skip"].is_array()) return absl::InvalidArgumentError(fmt::format("{}.skip: is no list of texts", where));
  for (const Json& pattern : json["skip"]) {
    if (!pattern.is_string() || pattern.get<std::string>().empty())
      return absl::InvalidArgumentError(fmt::format("{}.skip: is no list of texts", where));
    quantizers.skip.push_back(pattern.get<std::string>());
  }
  return quantizers;
}

absl::Status CheckWrittenWith(const Quantizers& quantizers, const std::string& config_path, const WeightFile& weights,
                              const std::string& weights_path) {
  const auto text = weights.metadata().find(kQuantizationKey);
  if (text == weights.metadata().end()) return absl::OkStatus();
  const std::string where = weights_path + ": metadata";
  const absl::StatusOr<Json> json = ParseJsonObject(text->second);
  if (!json.ok())
    return absl::DataLossError(fmt::format("{} {}: {}", where, kQuantizationKey, std::string(json.status().message())));
  ASSIGN_OR_RETURN(const Quantizers written, QuantizersFromConfig({{kQuantizationKey, *json}}, where));
  const auto difference =
      FirstDifference(DescribeQuantizers(quantizers), DescribeQuantizers(written), kQuantizationKey);
  if (!difference) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{}: {}: is {}, and {} was written with {}: take both from one export",
                                                config_path, difference->key, difference->ours, weights_path,
                                                difference->theirs));
}

}  // namespace ridgeline
