// SPDX-License-Identifier: Apache-2.0
// A packed folder is the model: what is read from it computes what was trained, from a file of the size that is
// counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "common/file.h"
#include "method/every_spec.h"
#include "model/finite_weights.h"
#include "model/gpt.h"
#include "model/load_model.h"
#include "model/make_model.h"
#include "model/model_files.h"
#include "model/packed_description.h"
#include "model/save_model.h"
#include "model/weight_product.h"
#include "nlohmann/json.hpp"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/torch_pch.h"
#include "quant/testing/tensors_close.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr GptConfig kTiny{.n_layers = 2, .dim = 64, .n_heads = 2, .vocab_size = 40, .seq_len = 32};

class PackedWeightsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ridgeline-packed-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  // Packed with float32 of all that is not quantized.
  std::string Saved(const LanguageModel& model) {
    const absl::Status saved = SavePacked(model, Dtype::kF32, {}, {}, Path("model"));
    EXPECT_EQ(saved, absl::OkStatus());
    return Path("model");
  }

  // Writes config.json anew, with one change.
  void ChangeConfig(const std::string& folder, const std::function<void(nlohmann::json*)>& change) {
    nlohmann::json config = nlohmann::json::parse(ReadFile(folder + "/config.json").value());
    change(&config);
    ASSERT_EQ(WriteFileAtomically(folder + "/config.json", config.dump()), absl::OkStatus());
  }

  fs::path folder_;
};

std::unique_ptr<LanguageModel> TinyModel(ModelOptions options) {
  options.weight.scale_precision = ScalePrecision::kFloat16;
  auto model = Gpt::Create(kTiny, options, 3);
  EXPECT_TRUE(model.ok()) << model.status();
  (*model)->SetHardRounding(true);
  (*model)->RefreshCompute();
  return *std::move(model);
}

at::Tensor SomeLogits(LanguageModel* model) {
  return model->Logits(at::arange(0, 24, at::kLong).remainder(model->vocab_size()).view({1, 24}));
}

const Parameter& ParameterNamed(const LanguageModel& model, const std::string& name) {
  for (const Parameter& parameter : model.parameters())
    if (parameter.name == name) return parameter;
  ADD_FAILURE() << name;
  return model.parameters().front();
}

// What a weight of a packed model that is used stands for.
at::Tensor ValuesOf(const Parameter& parameter) {
  return parameter.packed == nullptr ? parameter.master
                                     : RowsOf(parameter, at::arange(parameter.shape->rows(), at::kLong), at::kFloat);
}

std::vector<QuantizerSpec> WeightSpecs() {
  return EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.is_defined_for(Side::kWeight); },
                    .rotations = {{}, {true, true}},
                    .sparsities = {{}, {2, 4}},
                    .block = 32});
}

TEST_F(PackedWeightsTest, EveryWeightIsReadAsWhatLayersComputeWith) {
  size_t count = 0;
  for (const QuantizerSpec& spec : WeightSpecs()) {
    if (count++ % 7 != 0) continue;  // Of each kind some: quant/codes tests them all.
    SCOPED_TRACE(DescribeSpec(spec));
    const auto model = TinyModel({.weight = spec});
    auto loaded = LoadModelInUse(Saved(*model), at::kFloat);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    for (const std::string& name : model->QuantizedNames())
      ASSERT_TRUE(at::equal(ValuesOf(ParameterNamed(**loaded, name)), ParameterNamed(*model, name).Values())) << name;
    EXPECT_TRUE(AllClose(SomeLogits(loaded->get()), SomeLogits(model.get()), 1e-5));
  }
}

TEST_F(PackedWeightsTest, InputsAreQuantizedAsTheFileSays) {
  QuantizerSpec weight{.estimator = "ridge_trust", .format = Format::kInt2, .scheme = Scheme::kLinear, .block = 32};
  weight.grid = GridStatistics::kGaussian;
  weight.hadamard = true;
  QuantizerSpec activation = weight;
  activation.lambda = 1e-4;
  const auto model = TinyModel({.weight = weight, .activation = activation, .skip = {"*.1.*"}});
  const std::string folder = Saved(*model);
  auto loaded = LoadModelInUse(folder, at::kFloat);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(AllClose(SomeLogits(loaded->get()), SomeLogits(model.get()), 1e-3));
  auto without_inputs = LoadModel(folder, {});
  ASSERT_TRUE(without_inputs.ok()) << without_inputs.status();
  EXPECT_FALSE(AllClose(SomeLogits(without_inputs->get()), SomeLogits(model.get()), 1e-3));
}

TEST_F(PackedWeightsTest, WhatIsLearnedOfInputsIsInTheFile) {
  QuantizerSpec weight{.estimator = "lsq", .format = Format::kInt4, .scheme = Scheme::kLinear};
  weight.granularity = Granularity::kTensor;
  const auto model = TinyModel({.weight = weight, .activation = weight});
  SomeLogits(model.get());
  at::NoGradGuard no_grad;
  for (Parameter& parameter : model->parameters())
    if (parameter.shape->kind == ParameterKind::kOfInput) parameter.master.fill_(0.11);
  auto loaded = LoadModelInUse(Saved(*model), at::kFloat);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(AllClose(SomeLogits(loaded->get()), SomeLogits(model.get()), 1e-4));
}

TEST_F(PackedWeightsTest, TheFileHasTheBytesOfItsPartsAndAHeader) {
  const QuantizerSpec one_bit{
      .estimator = "ste", .format = Format::kInt1, .scheme = Scheme::kLinear, .block = 64, .sparsity = {1, 4}};
  const auto model = TinyModel({.weight = one_bit});
  ASSERT_EQ(SavePacked(*model, Dtype::kBF16, {}, {}, Path("model")), absl::OkStatus());
  const std::string bytes = ReadFile(Path("model") + "/model.safetensors").value();
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof(header));
  EXPECT_EQ(static_cast<double>(bytes.size() - sizeof(header) - header), model->Cost().storage_bytes);
}

// Else the length of a name would decide between points that are alike in all else.
TEST_F(PackedWeightsTest, FilesOfEstimatorsWithTheSameCodesAreOfOneSize) {
  std::set<uintmax_t> sizes;
  for (const char* estimator : {"ste", "ridge"}) {
    const auto model = TinyModel(
        {.weight = {.estimator = estimator, .format = Format::kInt4, .scheme = Scheme::kAffine, .block = 32}});
    ASSERT_EQ(SavePacked(*model, Dtype::kBF16, {}, {}, Path(estimator)), absl::OkStatus());
    sizes.insert(std::filesystem::file_size(Path(estimator) + "/model.safetensors"));
  }
  EXPECT_EQ(sizes.size(), 1u);
}

TEST_F(PackedWeightsTest, AnEmbeddingOfFewBitsLooksUpAndMultipliesByItsCodes) {
  for (const auto& [format, block] : {std::pair{Format::kInt8, 32}, {Format::kInt6, 24}, {Format::kInt4, 64}}) {
    SCOPED_TRACE(FormatName(format));
    const auto model = TinyModel({.embedding = {format, block}});
    const std::string folder = Saved(*model);
    auto loaded = LoadModelInUse(folder, at::kFloat);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    ASSERT_NE((*loaded)->head().packed, nullptr);
    ASSERT_TRUE(at::equal(ValuesOf((*loaded)->head()), model->head().Values()));
    EXPECT_TRUE(AllClose(SomeLogits(loaded->get()), SomeLogits(model.get()), 1e-5));
    EXPECT_THROW((*loaded)->Embed(at::full({1, 1}, (*loaded)->vocab_size(), at::kLong), 0), c10::Error);
    auto decoded = LoadModel(folder, {});
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_TRUE(AllClose(SomeLogits(decoded->get()), SomeLogits(model.get()), 1e-5));
  }
}

TEST_F(PackedWeightsTest, AFileOfAnEmbeddingInFewBitsHasTheBytesThatAreCounted) {
  const auto model = TinyModel({.embedding = {Format::kInt4, 32}});
  ASSERT_EQ(SavePacked(*model, Dtype::kBF16, {}, {}, Path("model")), absl::OkStatus());
  const std::string bytes = ReadFile(Path("model") + "/model.safetensors").value();
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof(header));
  EXPECT_EQ(static_cast<double>(bytes.size() - sizeof(header) - header), model->Cost().storage_bytes);
}

TEST_F(PackedWeightsTest, TrainingCanGoOnFromAPackedModel) {
  const QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .scheme = Scheme::kLinear, .block = 64};
  const auto model = TinyModel({.weight = spec});
  auto loaded = LoadModel(Saved(*model), {.weight = spec});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ((*loaded)->QuantizedNames(), model->QuantizedNames());
}

struct NamedForm {
  const char* name;
  Format weight, activation;
  bool hadamard = false;
  SparsityPattern sparsity = {};
};

// Of a shape that recipes name, with random weights; Gemma's vocabulary is cut, which only its embedding would notice.
ModelConfig ShapeNamed(const std::string& name) {
  ModelConfig config = NamedModel(name).value();
  if (auto* gpt = std::get_if<GptConfig>(&config)) gpt->vocab_size = 73, gpt->seq_len = 64;
  if (auto* gemma = std::get_if<Gemma3Config>(&config)) gemma->vocab_size = 2048;
  return config;
}

ModelOptions OptionsOf(const NamedForm& form) {
  const auto spec = [&](Format format) {
    QuantizerSpec result;
    if (format == Format::kNone) return result;
    result.estimator = "ridge_trust";
    result.format = format;
    result.scheme = form.sparsity.is_sparse() || format == Format::kTernary ? Scheme::kLinear : Scheme::kAffine;
    result.grid = GridStatistics::kGaussian;
    result.hadamard = form.hadamard;
    result.lambda = 1e-4;
    return result;
  };
  ModelOptions options;
  options.weight = spec(form.weight);
  options.weight.scale_precision = ScalePrecision::kFloat16;
  options.weight.sparsity = form.sparsity;
  options.activation = spec(form.activation);
  options.embedding = {Format::kInt8, 32};
  return options;
}

constexpr NamedForm kForms[] = {{"gpt-nano", Format::kInt4, Format::kInt4, true},
                                {"gpt-nano", Format::kInt1, Format::kInt1, true},
                                {"gpt-nano", Format::kTernary, Format::kInt4},
                                {"gpt-nano", Format::kInt1, Format::kNone, false, {1, 4}},
                                {"gpt-11m", Format::kInt4, Format::kInt8},
                                {"gpt-11m", Format::kInt2, Format::kInt2, true},
                                {"gpt-11m", Format::kInt1, Format::kInt4, true, {2, 4}},
                                {"gemma3-270m", Format::kInt4, Format::kInt8, true},
                                {"gemma3-270m", Format::kInt1, Format::kInt1, true}};

double RelativeError(const at::Tensor& got, const at::Tensor& wanted) {
  return ((got - wanted).norm() / wanted.norm()).item<double>();
}

// Each layer by itself: behind a threshold that sums in another order cross, layers see other inputs.
TEST_F(PackedWeightsTest, EachLayerOfNamedShapesMultipliesAsTheFakeQuantizedOneToRounding) {
  constexpr double kOfRounding = 1e-5;
  for (const NamedForm& form : kForms) {
    SCOPED_TRACE(std::string(form.name) + " " + std::string(FormatName(form.weight)) + " " +
                 std::string(FormatName(form.activation)));
    const ModelOptions options = OptionsOf(form);
    const auto model = MakeModel(ShapeNamed(form.name), options, 5).value();
    auto loaded = LoadModelInUse(Saved(*model), at::kFloat);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    for (const std::string& name : model->QuantizedNames()) {
      const Parameter &weight = ParameterNamed(*model, name), &packed = ParameterNamed(**loaded, name);
      ASSERT_NE(packed.packed, nullptr) << name;
      const at::Tensor x = at::randn({9, weight.shape->columns()});
      const at::Tensor wanted = at::matmul(FakeQuantize(x.clone(), options.activation), weight.Values().t());
      ASSERT_LT(RelativeError(ProductWith(x, packed), wanted), kOfRounding) << name;
    }
  }
}

TEST_F(PackedWeightsTest, LogitsOfNamedShapesAreThoseOfTheFakeQuantizedModelToRounding) {
  constexpr double kOfRounding = 1e-5;
  for (NamedForm form : kForms) {
    SCOPED_TRACE(std::string(form.name) + " " + std::string(FormatName(form.weight)));
    form.activation = Format::kNone;
    const auto model = MakeModel(ShapeNamed(form.name), OptionsOf(form), 5).value();
    auto loaded = LoadModelInUse(Saved(*model), at::kFloat);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_LT(RelativeError(SomeLogits(loaded->get()), SomeLogits(model.get())), kOfRounding);
  }
}

// As earlier versions wrote it: nothing in the file says what its codes are.
void RemoveMetadata(const std::string& folder) {
  const std::string path = folder + "/model.safetensors";
  const std::string bytes = ReadFile(path).value();
  uint64_t size = 0;
  std::memcpy(&size, bytes.data(), sizeof(size));
  nlohmann::json header = nlohmann::json::parse(bytes.substr(sizeof(size), size));
  ASSERT_EQ(header.erase("__metadata__"), 1u);
  const std::string text = header.dump();
  const uint64_t new_size = text.size();
  const std::string head(reinterpret_cast<const char*>(&new_size), sizeof(new_size));
  ASSERT_EQ(WriteFileAtomically(path, head + text + bytes.substr(sizeof(size) + size)), absl::OkStatus());
}

class BrokenPackedTest : public PackedWeightsTest {
 protected:
  void SetUp() override {
    PackedWeightsTest::SetUp();
    model_ =
        TinyModel({.weight = {.estimator = "ste", .format = Format::kTernary, .scheme = Scheme::kLinear, .block = 32}});
    path_ = Saved(*model_);
  }
  void ExpectRefusal(const std::string& what) {
    const absl::Status status = OpenModelFiles(path_).status();
    EXPECT_THAT(std::string(status.message()), HasSubstr(what)) << status;
    EXPECT_FALSE(LoadModelInUse(path_, at::kFloat).ok());
  }

  std::unique_ptr<LanguageModel> model_;
  std::string path_;
};

// Both fit the shapes of all tensors: only the file itself can tell.
TEST_F(BrokenPackedTest, AConfigOtherThanTheFileWasWrittenWithIsRefusedByItsKey) {
  const nlohmann::json whole = nlohmann::json::parse(ReadFile(path_ + "/config.json").value());
  for (const auto& [path, value, what] : std::vector<std::tuple<std::string, nlohmann::json, std::string>>{
           {"/weight/hadamard", true, "quantization_config.weight.hadamard: is true, and "},
           {"/weight/estimator", "ridge", R"(weight.estimator: is "ridge", and )"},
           {"/weight/block", 31, "quantization_config.weight.block: is 31, and "},
           {"/embedding", {{"format", "int8"}, {"block", 32}}, R"(embedding: is {"block":32,"format":"int8"}, and )"},
           {"/skip", {"*.0.*"}, R"(skip: is ["*.0.*"], and )"}}) {
    ChangeConfig(path_, [&, &where = path, &changed = value](nlohmann::json* config) {
      *config = whole;
      (*config)[kQuantizationKey][nlohmann::json::json_pointer(where)] = changed;
    });
    ExpectRefusal(what);
    ExpectRefusal("model/model.safetensors was written with ");
  }
  ChangeConfig(path_, [&](nlohmann::json* config) { *config = whole; });
  EXPECT_TRUE(OpenModelFiles(path_).ok());
}

TEST_F(BrokenPackedTest, FilesThatDoNotSayWhatTheyWereWrittenWithAreStillRead) {
  const at::Tensor logits = SomeLogits(LoadModelInUse(path_, at::kFloat)->get());
  RemoveMetadata(path_);
  auto loaded = LoadModelInUse(path_, at::kFloat);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(at::equal(SomeLogits(loaded->get()), logits));
}

TEST_F(BrokenPackedTest, MetadataThatDescribesNothingIsDamage) {
  const std::string file = path_ + "/model.safetensors";
  std::string bytes = ReadFile(file).value();
  const size_t at = bytes.find("ternary");
  ASSERT_NE(at, std::string::npos);
  ASSERT_EQ(WriteFileAtomically(file, std::string(bytes).replace(at, 7, "quinary")), absl::OkStatus());
  ExpectRefusal("model.safetensors: metadata: quantization_config.weight.format: unknown format 'quinary'");
}

TEST_F(BrokenPackedTest, NumbersThatAreNoneAreRefusedByTheFileAndItsTensor) {
  const std::string file = path_ + "/model.safetensors";
  std::string bytes = ReadFile(file).value();
  const std::string whole = bytes;
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof(header));
  const nlohmann::json tensors = nlohmann::json::parse(bytes.substr(sizeof(header), header));
  for (const std::string name : {"h.1.mlp.c_fc.weight.scales", "ln_f.weight"}) {
    bytes = whole;
    const size_t begin = sizeof(header) + header + tensors.at(name)["data_offsets"][0].get<size_t>();
    for (size_t i : {0, 1, 2, 3}) bytes[begin + i] = '\xFF';  // NaN as float16 and as float32.
    ASSERT_EQ(WriteFileAtomically(file, bytes), absl::OkStatus());
    for (const bool in_use : {false, true}) {
      auto loaded = in_use ? LoadModelInUse(path_, at::kFloat) : LoadModel(path_, {});
      ASSERT_TRUE(loaded.ok()) << loaded.status();
      const absl::Status status = CheckFiniteFiles(**loaded, path_);
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
      EXPECT_THAT(std::string(status.message()), testing::StartsWith("NONFINITE: " + file + ": ")) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("of tensor '" + name + "' are NaN")) << status;
    }
  }
}

TEST_F(BrokenPackedTest, AQuantizerOtherThanThatOfTheCodesIsRefused) {
  RemoveMetadata(path_);
  ChangeConfig(path_, [](nlohmann::json* config) { (*config)[kQuantizationKey]["weight"]["format"] = "int2"; });
  ExpectRefusal("codes");
}

TEST_F(BrokenPackedTest, ABlockThatTheScalesDoNotFitIsRefused) {
  RemoveMetadata(path_);
  ChangeConfig(path_, [](nlohmann::json* config) { (*config)[kQuantizationKey]["weight"]["block"] = 64; });
  ExpectRefusal("scales");
}

TEST_F(BrokenPackedTest, EveryKeyOfTheDescriptionIsNeededAndNoOtherIsPassedOver) {
  const nlohmann::json whole = nlohmann::json::parse(ReadFile(path_ + "/config.json").value());
  for (const auto& [key, value] : whole[kQuantizationKey]["weight"].items()) {
    ChangeConfig(path_, [&, &name = key](nlohmann::json* config) {
      *config = whole;
      (*config)[kQuantizationKey]["weight"].erase(name);
    });
    ExpectRefusal(key + ": is missing");
  }
  ChangeConfig(path_, [&](nlohmann::json* config) {
    *config = whole;
    (*config)[kQuantizationKey]["weight"]["outliers"] = 3;
  });
  ExpectRefusal("weight.outliers: is not understood");
  ChangeConfig(path_, [&](nlohmann::json* config) {
    *config = whole;
    (*config)[kQuantizationKey]["version"] = 2;
  });
  ExpectRefusal("version: is 2, and this program reads 1");
}

TEST_F(BrokenPackedTest, AnEmbeddingThatIsNotUnderstoodIsRefused) {
  RemoveMetadata(path_);
  const nlohmann::json whole = nlohmann::json::parse(ReadFile(path_ + "/config.json").value());
  for (const auto& [embedding, what] : std::vector<std::pair<std::string, std::string>>{
           {R"({"format": "int4"})", "embedding.block: is missing"},
           {R"({"format": "ternary", "block": 32})", "embedding: "},
           {R"({"format": "int4", "block": 0})", "embedding: "},
           {R"({"format": "int4", "block": 32, "scheme": "affine"})", "embedding.scheme: is not understood"},
           {R"({"format": "int4", "block": 32})", "wte.weight"}}) {
    ChangeConfig(path_, [&, &json = embedding](nlohmann::json* config) {
      *config = whole;
      (*config)[kQuantizationKey]["embedding"] = nlohmann::json::parse(json);
    });
    ExpectRefusal(what);
  }
  ChangeConfig(path_, [&](nlohmann::json* config) {
    *config = whole;
    (*config)[kQuantizationKey].erase("embedding");  // As files of before have it.
  });
  EXPECT_TRUE(OpenModelFiles(path_).ok());
}

TEST_F(BrokenPackedTest, CodesOutOfRangeAreRefusedByTheirTensor) {
  const std::string file = path_ + "/model.safetensors";
  absl::StatusOr<std::string> read = ReadFile(file);
  ASSERT_TRUE(read.ok()) << read.status();
  std::string bytes = *std::move(read);
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof(header));
  const nlohmann::json tensors = nlohmann::json::parse(bytes.substr(sizeof(header), header));
  std::string damaged;
  for (const auto& [name, tensor] : tensors.items())
    if (name.ends_with(".codes")) {
      damaged = name;
      bytes[sizeof(header) + header + tensor["data_offsets"][0].get<size_t>()] = '\xFF';
      break;
    }
  ASSERT_EQ(WriteFileAtomically(file, bytes), absl::OkStatus());
  ExpectRefusal(file + ": tensor '" + damaged +
                "': codes of row 0: a byte is 255, and five ternary numbers are at most 242");
}

TEST_F(BrokenPackedTest, AFileThatWasCutOffIsRefused) {
  const std::string file = path_ + "/model.safetensors";
  const absl::StatusOr<std::string> bytes = ReadFile(file);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  for (const size_t size : {size_t{0}, size_t{7}, bytes->size() / 2, bytes->size() - 1}) {
    ASSERT_EQ(WriteFileAtomically(file, bytes->substr(0, size)), absl::OkStatus());
    EXPECT_FALSE(OpenModelFiles(path_).ok()) << size;
  }
}

TEST_F(BrokenPackedTest, OtherQuantizersAreStillRefused) {
  ChangeConfig(path_, [](nlohmann::json* config) { (*config)[kQuantizationKey]["quant_method"] = "gptq"; });
  ExpectRefusal("quantization_config");
}

}  // namespace
}  // namespace ridgeline
