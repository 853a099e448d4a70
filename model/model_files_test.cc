// SPDX-License-Identifier: Apache-2.0
// Whatever a model's files hold is used, known to be harmless, or refused by name: nothing is passed over that would
// change the numbers.
#include "model/model_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "common/file.h"
#include "model/stored_weights.h"
#include "nlohmann/json.hpp"
#include "weights/gguf.h"
#include "weights/gguf_writer.h"
#include "weights/safetensors_writer.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct Tensor {
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  std::string bytes;
};
using Tensors = std::map<std::string, Tensor>;

Tensor Floats(std::vector<int64_t> shape, float value = 0.5f) {
  Tensor tensor{Dtype::kF32, shape, ""};
  for (int64_t i = 0; i < ElementsOfShape(shape).value(); ++i)
    tensor.bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  return tensor;
}

Tensors TensorsOf(const WeightFile& file) {
  Tensors tensors;
  for (const TensorView& view : file.tensors()) tensors[view.name] = {view.dtype, view.shape, std::string(view.bytes)};
  return tensors;
}

template <typename Writer>
void WriteAll(const Tensors& tensors, absl::StatusOr<std::unique_ptr<Writer>> writer) {
  ASSERT_TRUE(writer.ok()) << writer.status();
  for (const auto& [name, tensor] : tensors) ASSERT_TRUE((*writer)->Append(name, tensor.bytes).ok());
  ASSERT_TRUE((*writer)->Finish().ok());
}

std::vector<TensorDeclaration> DeclarationsOf(const Tensors& tensors) {
  std::vector<TensorDeclaration> declarations;
  for (const auto& [name, tensor] : tensors) declarations.push_back({name, tensor.dtype, tensor.shape});
  return declarations;
}

// A folder of its own for each test.
class ModelFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = fs::temp_directory_path() / ("ridgeline_" + test + std::to_string(::getpid()));
    fs::remove_all(folder_);
    Use("gemma3-270m-like");
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Begins with a model of the test data.
  void Use(const std::string& name) {
    const std::string source = std::string(RIDGELINE_TESTDATA "/") + name;
    config_ = Json::parse(ReadFile(source + "/config.json").value());
    tensors_ = TensorsOf(*OpenSafetensors(source).value());
  }

  absl::StatusOr<ModelFiles> OpenText(const std::string& config_json) const {
    EXPECT_TRUE(WriteFileAtomically((folder_ / "config.json").string(), config_json).ok());
    WriteAll(tensors_,
             SafetensorsWriter::Create((folder_ / "model.safetensors").string(), DeclarationsOf(tensors_), {}));
    return OpenModelFiles(folder_.string());
  }
  absl::StatusOr<ModelFiles> Open() const { return OpenText(config_.dump()); }

  Gemma3Config Shape() const { return std::get<Gemma3Config>(Open().value().config); }

  // INVALID_ARGUMENT that names the file and every one of the words.
  void ExpectRefusal(const std::vector<std::string>& words) const {
    const absl::Status status = Open().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(folder_.string()));
    for (const std::string& word : words) EXPECT_THAT(std::string(status.message()), HasSubstr(word));
  }

  fs::path folder_;
  Json config_;
  Tensors tensors_;
};

using ConfigTest = ModelFilesTest;

TEST_F(ConfigTest, WhatTransformersSavesIsRead) {
  for (const char* name : {"gemma3-270m-like", "gemma3-4b-like", "gpt2-like"}) {
    Use(name);
    EXPECT_TRUE(Open().ok()) << Open().status();
  }
}

// docs/formats.md promises it of every key.
TEST_F(ConfigTest, AKeyThatNobodyKnowsIsRefusedByName) {
  const Json plain = config_;
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"some_cap", 30.0},
                                                                            {"attention_temperature", 1},
                                                                            {"use_sinks", false},
                                                                            {"auto_map", Json::object({{"a", "b"}})}}) {
    config_ = plain;
    config_[key] = value;
    ExpectRefusal({"config.json: " + key + ": Ridgeline does not know this key", "take it out"});
  }
}

TEST_F(ConfigTest, KeysOfOtherQuantizersAreRefused) {
  const Json plain = config_;
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{
           {"quantization_config", {{"quant_method", "compressed-tensors"}, {"format", "int-quantized"}}},
           {"quantization_config", {{"quant_method", "gptq"}, {"bits", 4}}},
           {"quantization_config", {{"load_in_4bit", true}}},
           {"compression_config", {{"format", "pack-quantized"}}},
           {"quantization", {{"group_size", 64}, {"bits", 4}}},
           {"awq_config", {{"w_bit", 4}}}}) {
    config_ = plain;
    config_[key] = value;
    ExpectRefusal({key + ": the weights are codes of another quantizer", "dequantized"});
  }
}

// A model that also sees has two objects, and either may hold it.
TEST_F(ConfigTest, TheOuterObjectOfAModelThatSeesIsHeldToTheSameRule) {
  const Json text = config_;
  config_ = {{"model_type", "gemma3"},     {"architectures", {"Gemma3ForConditionalGeneration"}},
             {"text_config", text},        {"vision_config", {{"hidden_size", 8}}},
             {"mm_tokens_per_image", 256}, {"boi_token_index", 255999},
             {"eos_token_id", {1, 106}},   {"torch_dtype", "bfloat16"}};
  EXPECT_EQ(Shape().dim, 16);
  config_["quantization_config"] = {{"quant_method", "bitsandbytes"}};
  ExpectRefusal({"quantization_config: the weights are codes"});
  config_.erase("quantization_config");
  config_["tie_word_embeddings"] = false;
  ExpectRefusal({"tie_word_embeddings: is false"});
  config_.erase("tie_word_embeddings");
  config_["text_config"]["final_logit_softcapping"] = 30.0;
  ExpectRefusal({"text_config.final_logit_softcapping: is 30.0"});
}

TEST_F(ConfigTest, FeaturesThatAreNotComputedAreRefused) {
  const Json plain = config_;
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, Json>>{{"tie_word_embeddings", false},
                                                 {"attention_bias", true},
                                                 {"attn_logit_softcapping", 50.0},
                                                 {"final_logit_softcapping", 30.0},
                                                 {"hidden_activation", "silu"},
                                                 {"hidden_act", "relu"},
                                                 {"use_bidirectional_attention", true},
                                                 {"architectures", {"Gemma3ForSequenceClassification"}},
                                                 {"pruned_heads", {{"0", {1}}}},
                                                 {"per_layer_config", {{"0", {{"head_dim", 4}}}}},
                                                 {"is_encoder_decoder", true},
                                                 {"_sliding_window_pattern", 0},
                                                 {"layer_types", {"full_attention"}}}) {
    config_ = plain;
    config_[key] = value;
    ExpectRefusal({key + ": "});
  }
}

TEST_F(ConfigTest, NumbersThatAreNoneAreRefused) {
  const Json plain = config_;
  for (const char* key : {"hidden_size", "num_hidden_layers", "sliding_window", "vocab_size"})
    for (const Json& value : {Json(nullptr), Json(-1), Json(1.5), Json("16"), Json(1e300), Json(true)}) {
      config_ = plain;
      config_[key] = value;
      ExpectRefusal({std::string(key) + ": ", "is not a size"});
    }
  config_ = plain;
  config_["rms_norm_eps"] = "1e-6";
  ExpectRefusal({"rms_norm_eps: \"1e-6\" is not a finite number"});
}

TEST_F(ConfigTest, PythonsInfinityInAKeyThatIsNotUsedSaysNothing) {
  std::string json = config_.dump();
  json.insert(json.size() - 1, R"(, "some_cap": Infinity, "other": NaN, "third": -Infinity)");
  EXPECT_TRUE(OpenText(json).ok()) << OpenText(json).status();
}

TEST_F(ConfigTest, PythonsInfinityInAKeyThatIsUsedIsRefused) {
  for (const char* key : {"rms_norm_eps", "rope_theta", "num_hidden_layers", "attn_logit_softcapping",
                          "query_pre_attn_scalar", "rope_local_base_freq"}) {
    Json without = config_;
    without.erase(key);
    std::string json = without.dump();
    json.insert(json.size() - 1, std::string(", \"") + key + "\": Infinity");
    const absl::Status status = OpenText(json).status();
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(key), HasSubstr("inf"))) << key;
  }
}

TEST_F(ConfigTest, AByteOrderMarkIsSkipped) { EXPECT_TRUE(OpenText("\xEF\xBB\xBF" + config_.dump()).ok()); }

TEST_F(ConfigTest, KeysThatRepeatAreRefused) {
  const absl::Status status = OpenText("{\"hidden_size\": 16," + config_.dump().substr(1)).status();
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("config.json"), HasSubstr("'hidden_size' repeats")));
}

using PositionsTest = ModelFilesTest;

TEST_F(PositionsTest, EverySpellingOfLinearScalingGivesItsFactor) {
  config_.erase("rope_parameters");
  const Json plain = config_;
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{
           {"rope_scaling", {{"type", "linear"}, {"factor", 8.0}}},
           {"rope_scaling", {{"rope_type", "linear"}, {"factor", 8}}},
           {"rope_scaling", {{"rope_type", "linear"}, {"type", "linear"}, {"factor", 8.0}, {"rope_theta", 1e6}}},
           {"rope_parameters", {{"full_attention", {{"type", "linear"}, {"factor", 8.0}}}}},
           {"rope_parameters",
            {{"full_attention", {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 1e6}}},
             {"sliding_attention", nullptr}}}}) {
    config_ = plain;
    config_[key] = value;
    EXPECT_EQ(Shape().rope_global_factor, 8) << value;
    EXPECT_EQ(Shape().rope_global_base, 1e6) << value;
  }
  config_ = plain;
  EXPECT_EQ(Shape().rope_global_factor, 1);
}

TEST_F(PositionsTest, OtherScalingsAreRefused) {
  config_.erase("rope_parameters");
  const Json plain = config_;
  for (const char* kind : {"yarn", "dynamic", "longrope", "llama3", "su", "ntk", "proportional"})
    for (const char* type : {"type", "rope_type"}) {
      config_ = plain;
      config_["rope_scaling"] = {{type, kind}, {"factor", 8.0}};
      ExpectRefusal({"rope_scaling: scaling of kind '" + std::string(kind) + "' is not computed"});
    }
  for (const Json& value : std::vector<Json>{{{"factor", 8.0}},
                                             {{"type", "linear"}},
                                             {{"type", "linear"}, {"rope_type", "yarn"}, {"factor", 8.0}},
                                             {{"type", "linear"}, {"factor", 8.0}, {"mrope_section", {1, 2}}},
                                             {{"type", "linear"}, {"factor", 8.0}, {"partial_rotary_factor", 0.5}},
                                             {{"type", "linear"}, {"factor", "8"}},
                                             {{"type", "linear"}, {"factor", 0}},
                                             Json("linear"),
                                             Json::array({8})}) {
    config_ = plain;
    config_["rope_scaling"] = value;
    EXPECT_EQ(Open().status().code(), absl::StatusCode::kInvalidArgument) << value;
    EXPECT_THAT(std::string(Open().status().message()), HasSubstr("config.json: ")) << value;
  }
}

TEST_F(PositionsTest, ParametersThatNameNoLayersAreRefused) {
  for (const Json& value : std::vector<Json>{{{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 1e6}},
                                             {{"rope_type", "yarn"}, {"factor", 8.0}},
                                             {{"full_attention", {{"rope_type", "default"}}}, {"factor", 8.0}}}) {
    config_["rope_parameters"] = value;
    ExpectRefusal({"rope_parameters: does not say for which layers", "sliding_attention"});
  }
}

TEST_F(PositionsTest, ScaledSlidingLayersAreRefused) {
  config_["rope_parameters"]["sliding_attention"] = {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 1e4}};
  ExpectRefusal({"scales the sliding layers"});
}

class Gpt2FilesTest : public ModelFilesTest {
 protected:
  void SetUp() override {
    ModelFilesTest::SetUp();
    Use("gpt2-like");
  }
};

TEST_F(Gpt2FilesTest, FeaturesThatAreNotComputedAreRefused) {
  const Json plain = config_;
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, Json>>{{"activation_function", "relu"},
                                                 {"activation_function", "silu"},
                                                 {"layer_norm_epsilon", 1e-6},
                                                 {"n_inner", 7},
                                                 {"scale_attn_by_inverse_layer_idx", true},
                                                 {"scale_attn_weights", false},
                                                 {"add_cross_attention", true},
                                                 {"tie_word_embeddings", false},
                                                 {"architectures", {"GPT2DoubleHeadsModel"}},
                                                 {"rope_scaling", {{"type", "linear"}, {"factor", 2.0}}},
                                                 {"quantization_config", {{"bits", 4}}},
                                                 {"alibi", true},
                                                 {"num_hidden_layers", 3}}) {
    config_ = plain;
    config_[key] = value;
    ExpectRefusal({key == "num_hidden_layers" ? "n_layer: is 2, but num_hidden_layers" : key + ": "});
  }
}

TEST_F(Gpt2FilesTest, BothNamesOfASizeAreRead) {
  config_["num_hidden_layers"] = config_["n_layer"];
  config_.erase("n_layer");
  EXPECT_EQ(std::get<GptConfig>(Open().value().config).n_layers, 2);
}

TEST_F(Gpt2FilesTest, SavedMasksAreHarmless) {
  tensors_["transformer.h.0.attn.bias"] = {Dtype::kU8, {1, 1, 32, 32}, std::string(1024, '\1')};
  tensors_["transformer.h.1.attn.masked_bias"] = Floats({}, -1e4f);
  EXPECT_TRUE(Open().ok()) << Open().status();
}

using TensorsTest = ModelFilesTest;

TEST_F(TensorsTest, WholeNumbersAreNoWeights) {
  const Tensors plain = tensors_;
  for (Dtype dtype : {Dtype::kI8, Dtype::kU8, Dtype::kI32, Dtype::kI64, Dtype::kBool}) {
    tensors_ = plain;
    Tensor& tensor = tensors_.at("model.layers.0.self_attn.q_proj.weight");
    tensor.dtype = dtype;
    tensor.bytes.resize(BytesOfShape(dtype, tensor.shape).value(), '\1');
    ExpectRefusal({"'model.layers.0.self_attn.q_proj.weight'", "codes of another quantizer"});
  }
}

TEST_F(TensorsTest, TensorsOfOtherQuantizersAreRefused) {
  const Tensors plain = tensors_;
  const std::string layer = "model.layers.1.self_attn.q_proj.";
  for (const char* suffix : {"weight_scale", "weight_scale_inv", "input_scale", "weight_zero_point", "qweight",
                             "qzeros", "scales", "g_idx", "weight.absmax", "weight.quant_map",
                             "weight.quant_state.bitsandbytes__nf4", "SCB", "weight_packed", "weight_shape"}) {
    tensors_ = plain;
    tensors_[layer + suffix] = Floats({4});
    ExpectRefusal({"'" + layer + suffix + "': belongs to another quantizer"});
    tensors_.erase(layer + "weight");  // As GPTQ and AWQ have it: the codes stand in the weight's place.
    ExpectRefusal({"'" + layer + suffix + "': belongs to another quantizer"});
  }
}

TEST_F(TensorsTest, MoreLayersThanTheConfigSaysAreRefused) {
  config_["num_hidden_layers"] = 3;
  config_.erase("layer_types");
  ExpectRefusal({"belongs to layer 3, but the model is said to have 3 layers"});
}

TEST_F(TensorsTest, AnOutputMatrixOfItsOwnIsRefusedUnlessItIsTheEmbedding) {
  tensors_["lm_head.weight"] = tensors_.at("model.embed_tokens.weight");
  EXPECT_TRUE(Open().ok()) << Open().status();
  tensors_["lm_head.weight"].bytes[5] ^= 1;
  ExpectRefusal({"'lm_head.weight': is an output matrix of its own"});
}

TEST_F(TensorsTest, WhatTheNetworkLacksIsRefused) {
  const Tensors plain = tensors_;
  for (const auto& [name, what] : std::vector<std::pair<std::string, std::string>>{
           {"model.layers.0.self_attn.q_proj.bias", "a bias that this network does not have"},
           {"lm_head.bias", "a bias that this network does not have"},
           {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", "belongs to an adapter"},
           {"model.layers.0.self_attn.q_proj.lora_magnitude_vector", "belongs to an adapter"},
           {"model.layers.0.mlp.experts.0.w1.weight", "nothing in this network uses it"},
           {"score.weight", "nothing in this network uses it"}}) {
    tensors_ = plain;
    tensors_[name] = Floats({4});
    ExpectRefusal({"'" + name + "': " + (what.starts_with("a bias") ? "is " : "") + what});
  }
}

TEST_F(TensorsTest, EyesAndSavedFrequenciesAreHarmless) {
  tensors_["vision_tower.vision_model.embeddings.patch_embedding.weight"] = Floats({4});
  tensors_["model.multi_modal_projector.mm_soft_emb_norm.weight"] = Floats({4});
  tensors_["model.layers.0.self_attn.rotary_emb.inv_freq"] = Floats({4});
  EXPECT_TRUE(Open().ok()) << Open().status();
}

TEST_F(TensorsTest, NamesLoadUnderEveryKnownWrapper) {
  const Tensors plain = tensors_;
  constexpr size_t kModelBytes = sizeof "model." - 1;
  for (const char* prefix : {"", "model.", "language_model.model.", "model.language_model.", "_orig_mod.model.",
                             "module.model.", "module._orig_mod.model.", "base_model.model.model."}) {
    tensors_.clear();
    for (const auto& [name, tensor] : plain) tensors_[prefix + name.substr(kModelBytes)] = tensor;
    EXPECT_TRUE(Open().ok()) << prefix << Open().status();
  }
}

TEST_F(TensorsTest, AnUnknownWrapperIsShown) {
  Tensors wrapped;
  for (const auto& [name, tensor] : tensors_) wrapped["student." + name] = tensor;
  tensors_ = wrapped;
  ExpectRefusal(
      {"'student.model.embed_tokens.weight'", "'model.embed_tokens.weight' is needed", "rename", "_orig_mod."});
}

TEST_F(TensorsTest, TheSameTensorUnderTwoWrappersIsRefused) {
  tensors_["module.model.norm.weight"] = tensors_.at("model.norm.weight");
  ExpectRefusal({"is there twice"});
}

TEST_F(TensorsTest, AMissingTensorIsNamed) {
  tensors_.erase("model.layers.2.mlp.up_proj.weight");
  ExpectRefusal({"no tensor 'model.layers.2.mlp.up_proj.weight'"});
}

// The same model as a GGUF, whose metadata the test changes.
class GgufFilesTest : public ModelFilesTest {
 protected:
  void SetUp() override {
    ModelFilesTest::SetUp();
    Tensors named;
    for (const ParameterShape& parameter : ParametersOf(Gemma3Config{.n_layers = 7}))
      named[parameter.gguf.name] = tensors_.at(parameter.hugging_face.name);
    tensors_ = named;
    metadata_.SetString("general.architecture", "gemma3");
    for (const auto& [key, size] : std::vector<std::pair<std::string, uint32_t>>{{"embedding_length", 16},
                                                                                 {"block_count", 7},
                                                                                 {"feed_forward_length", 24},
                                                                                 {"context_length", 64},
                                                                                 {"attention.head_count", 4},
                                                                                 {"attention.head_count_kv", 2},
                                                                                 {"attention.key_length", 8},
                                                                                 {"attention.value_length", 8},
                                                                                 {"attention.sliding_window", 5}})
      metadata_.SetUint32("gemma3." + key, size);
    metadata_.SetFloat("gemma3.attention.layer_norm_rms_epsilon", 1e-6f);
  }

  absl::StatusOr<ModelFiles> OpenWith(const std::function<void(GgufMetadata*)>& change) const {
    GgufMetadata metadata = metadata_;
    change(&metadata);
    const std::string path = (folder_ / "model.gguf").string();
    WriteAll(tensors_, GgufWriter::Create(path, metadata, DeclarationsOf(tensors_)));
    return OpenModelFiles(path);
  }
  Gemma3Config ShapeWith(const std::function<void(GgufMetadata*)>& change) const {
    return std::get<Gemma3Config>(OpenWith(change).value().config);
  }
  void ExpectRefusalWith(const std::string& word, const std::function<void(GgufMetadata*)>& change) const {
    const absl::Status status = OpenWith(change).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("model.gguf"), HasSubstr(word)));
  }

  GgufMetadata metadata_;
};

TEST_F(GgufFilesTest, LinearScalingIsReadInAllItsSpellings) {
  EXPECT_EQ(ShapeWith([](auto*) {}).rope_global_factor, 1);
  EXPECT_EQ(ShapeWith([](GgufMetadata* m) { m->SetFloat("gemma3.rope.scaling.factor", 8); }).rope_global_factor, 8);
  EXPECT_EQ(ShapeWith([](GgufMetadata* m) { m->SetFloat("gemma3.rope.scale_linear", 8); }).rope_global_factor, 8);
  auto with_kind = [](const char* kind) {
    return [kind](GgufMetadata* m) {
      m->SetString("gemma3.rope.scaling.type", kind);
      m->SetFloat("gemma3.rope.scaling.factor", 8);
    };
  };
  EXPECT_EQ(ShapeWith(with_kind("linear")).rope_global_factor, 8);
  EXPECT_EQ(ShapeWith(with_kind("none")).rope_global_factor, 1);
  for (const char* kind : {"yarn", "longrope", "dynamic", "su", ""})
    ExpectRefusalWith("gemma3.rope.scaling.type", with_kind(kind));
}

TEST_F(GgufFilesTest, WindowPatternsAreRead) {
  constexpr char kKey[] = "gemma3.attention.sliding_window_pattern";
  EXPECT_EQ(ShapeWith([&](GgufMetadata* m) { m->SetUint32(kKey, 3); }).slides, SlidingPattern(7, 3));
  EXPECT_EQ(ShapeWith([&](GgufMetadata* m) { m->SetUint32(kKey, 0); }).slides, std::vector<bool>(7, true));
  EXPECT_EQ(ShapeWith([&](GgufMetadata* m) {
              m->SetInt32Array(kKey, std::vector<int32_t>{1, 0, 1, 0, 1, 0, 1});
            }).slides,
            SlidingPattern(7, 2));
  ExpectRefusalWith(kKey, [&](GgufMetadata* m) { m->SetInt32Array(kKey, std::vector<int32_t>{1, 0}); });
  ExpectRefusalWith(kKey, [&](GgufMetadata* m) { m->SetString(kKey, "6"); });
}

TEST_F(GgufFilesTest, KeysThatChangeTheNetworkAreRefused) {
  const std::vector<std::pair<std::string, float>> keys = {
      {"attn_logit_softcapping", 50},     {"final_logit_softcapping", 30},     {"attention.scale", 0.5f},
      {"rope.scaling.attn_factor", 2},    {"rope.scaling.yarn_ext_factor", 1}, {"some_cap", 1},
      {"attention.value_length", 4},      {"rope.dimension_count", 4},         {"expert_count", 8},
      {"attention.layer_norm_epsilon", 1}};
  for (const auto& entry : keys)
    ExpectRefusalWith("gemma3." + entry.first,
                      [&](GgufMetadata* m) { m->SetFloat("gemma3." + entry.first, entry.second); });
  ExpectRefusalWith("gemma3.attention.causal", [](GgufMetadata* m) { m->SetBool("gemma3.attention.causal", false); });
  ExpectRefusalWith("general.type", [](GgufMetadata* m) { m->SetString("general.type", "adapter"); });
  ExpectRefusalWith("adapter.lora.alpha", [](GgufMetadata* m) { m->SetFloat("adapter.lora.alpha", 16); });
  ExpectRefusalWith("'llama' is not one that Ridgeline computes",
                    [](GgufMetadata* m) { m->SetString("general.architecture", "llama"); });
}

TEST_F(GgufFilesTest, KeysThatDescribeAreHarmless) {
  const auto files = OpenWith([](GgufMetadata* m) {
    m->SetString("general.name", "a name");
    m->SetUint32("general.file_type", 0);
    m->SetString("quantize.imatrix.file", "f");
    m->SetString("tokenizer.ggml.model", "llama");
    m->SetUint32("gemma3.vocab_size", 61);
    m->SetUint32("gemma3.rope.scaling.original_context_length", 4096);
    m->SetFloat("gemma3.attn_logit_softcapping", 0);
    m->SetUint32("gemma3.rope.dimension_count", 8);
  });
  EXPECT_TRUE(files.ok()) << files.status();
}

TEST_F(GgufFilesTest, TensorsThatChangeTheNetworkAreRefused) {
  const Tensors plain = tensors_;
  tensors_["output.weight"] = plain.at("token_embd.weight");
  tensors_["rope_freqs.weight"] = Floats({4}, 1);
  EXPECT_TRUE(OpenWith([](auto*) {}).ok());
  tensors_["rope_freqs.weight"] = Floats({4}, 8);
  ExpectRefusalWith("'rope_freqs.weight'", [](auto*) {});
  tensors_ = plain;
  tensors_["output.weight"] = Floats({61, 16});
  ExpectRefusalWith("'output.weight': is an output matrix of its own", [](auto*) {});
  tensors_ = plain;
  tensors_["blk.7.attn_q.weight"] = Floats({4});
  ExpectRefusalWith("layer 7, but the model is said to have 7", [](auto*) {});
  tensors_ = plain;
  tensors_["blk.0.attn_q.bias"] = Floats({4});
  ExpectRefusalWith("'blk.0.attn_q.bias': is a bias", [](auto*) {});
}

TEST_F(ModelFilesTest, AFileInPlaceOfAFolderIsToldApart) {
  ASSERT_TRUE(Open().ok());
  const absl::Status status = OpenModelFiles((folder_ / "model.safetensors").string()).status();
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("a safetensors file"), HasSubstr("name the folder")));
}

}  // namespace
}  // namespace ridgeline
