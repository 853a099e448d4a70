// SPDX-License-Identifier: Apache-2.0
// Parameter lists of networks: sizes, what layers share, what others call them, and what quantizers add.
#include <gmock/gmock.h>

#include <map>
#include <numeric>
#include <set>

#include "model/blueprint/cost.h"
#include "model/blueprint/model_config.h"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The named networks, with a vocabulary where they have none of their own.
std::vector<ModelConfig> NamedConfigs() {
  std::vector<ModelConfig> configs;
  for (std::string_view name : ModelNames()) {
    configs.push_back(NamedModel(name).value());
    if (auto* gpt = std::get_if<GptConfig>(&configs.back()); gpt != nullptr && gpt->vocab_size == 0)
      gpt->vocab_size = 70;
  }
  return configs;
}

int64_t Elements(const ParameterList& list) {
  return std::accumulate(list.begin(), list.end(), int64_t{0},
                         [](int64_t sum, const ParameterShape& parameter) { return sum + parameter.elements(); });
}

const ParameterShape& Named(const ParameterList& list, const std::string& name) {
  for (const ParameterShape& parameter : list)
    if (parameter.name == name) return parameter;
  throw std::out_of_range(name);
}

std::vector<std::string> LearnedNames(const ParameterList& list) {
  std::vector<std::string> names;
  for (const ParameterShape& parameter : list)
    if (parameter.of_quantizer()) names.push_back(parameter.name);
  return names;
}

QuantizerSpec Learning(const char* estimator, Granularity granularity) {
  return {.estimator = estimator, .format = Format::kInt4, .scheme = Scheme::kLinear, .granularity = granularity};
}

Quantizers OfWeights(const QuantizerSpec& spec) {
  Quantizers quantizers;
  quantizers.weight = spec;
  return quantizers;
}
Quantizers OfInputs(const QuantizerSpec& spec) {
  Quantizers quantizers;
  quantizers.activation = spec;
  return quantizers;
}

GptConfig SmallGpt() { return {.n_layers = 2, .dim = 16, .n_heads = 2, .vocab_size = 11, .seq_len = 8}; }

// The published counts: 268M, 1.00B and 3.88B, GPT-2's 124M.
TEST(BlueprintTest, PublishedModelsHaveTheirPublishedSizes) {
  EXPECT_EQ(Elements(ParametersOf(NamedModel("gemma3-270m").value())), 268'098'176);
  EXPECT_EQ(Elements(ParametersOf(NamedModel("gemma3-1b").value())), 999'885'952);
  EXPECT_EQ(Elements(ParametersOf(NamedModel("gemma3-4b").value())), 3'880'099'328);
  EXPECT_EQ(Elements(ParametersOf(NamedModel("gpt2").value())), 124'439'808);
}

TEST(BlueprintTest, AnUnknownNameIsAnErrorThatNamesTheOthers) {
  EXPECT_THAT(std::string(NamedModel("gpt-5").status().message()), testing::HasSubstr("gpt-nano, gpt-11m, gpt2"));
  EXPECT_THAT(std::string(NamedModel("gemma3-9b").status().message()), testing::HasSubstr("gemma3-270m"));
}

TEST(BlueprintTest, NamesAreUniqueInEveryNamingThatTheNetworkHas) {
  for (const ModelConfig& config : NamedConfigs()) {
    const ParameterList list = ParametersOf(config);
    std::set<std::string> ours, hugging_face, gguf;
    for (const ParameterShape& parameter : list) {
      EXPECT_TRUE(ours.insert(parameter.name).second) << parameter.name;
      EXPECT_TRUE(hugging_face.insert(parameter.hugging_face.name).second) << parameter.name;
      gguf.insert(parameter.gguf.name);
    }
    EXPECT_FALSE(hugging_face.contains(""));
    const bool has_gguf = std::holds_alternative<Gemma3Config>(config);
    EXPECT_EQ(gguf.size(), has_gguf ? list.size() : 1u);
    EXPECT_EQ(gguf.contains(""), !has_gguf);
  }
}

TEST(BlueprintTest, OthersFilesCallGemmasParametersAsTheirReadersDo) {
  const ParameterList list = ParametersOf(NamedModel("gemma3-270m").value());
  const ParameterShape& gate = Named(list, "model.layers.3.mlp.gate_proj.weight");
  EXPECT_EQ(gate.gguf.name, "blk.3.ffn_gate.weight");
  EXPECT_FALSE(gate.gguf.has_one_added || gate.gguf.is_transposed);
  const ParameterShape& norm = Named(list, "model.layers.0.self_attn.q_norm.weight");
  EXPECT_EQ(norm.gguf.name, "blk.0.attn_q_norm.weight");
  EXPECT_TRUE(norm.gguf.has_one_added && !norm.hugging_face.has_one_added);
  EXPECT_EQ(Named(list, "model.norm.weight").gguf.name, "output_norm.weight");
  EXPECT_EQ(Named(list, "model.embed_tokens.weight").gguf.name, "token_embd.weight");
}

TEST(BlueprintTest, Gpt2StoresItsLinearLayersTransposedUnderItsOwnNames) {
  const ParameterList list = ParametersOf(NamedModel("gpt2").value());
  const ParameterShape& qkv = Named(list, "h.11.attn.qkv.weight");
  EXPECT_EQ(qkv.hugging_face.name, "h.11.attn.c_attn.weight");
  EXPECT_TRUE(qkv.hugging_face.is_transposed);
  EXPECT_EQ(Named(list, "h.11.attn.qkv.bias").hugging_face.name, "h.11.attn.c_attn.bias");
  EXPECT_FALSE(Named(list, "wte.weight").hugging_face.is_transposed);
}

TEST(BlueprintTest, LayersOfABlockThatShareAnInputHaveItsWidth) {
  for (const ModelConfig& config : NamedConfigs()) {
    std::map<std::pair<int64_t, LayerInput>, int64_t> widths;
    for (const ParameterShape& parameter : ParametersOf(config)) {
      EXPECT_EQ(parameter.input == LayerInput::kNone, parameter.kind != ParameterKind::kLinear) << parameter.name;
      if (parameter.kind != ParameterKind::kLinear) continue;
      const auto [width, is_first] = widths.insert({{parameter.block, parameter.input}, parameter.columns()});
      EXPECT_EQ(width->second, parameter.columns()) << parameter.name;
    }
    const int64_t n_layers = std::visit([](const auto& shape) { return shape.n_layers; }, config);
    EXPECT_EQ(widths.size(), static_cast<size_t>(4 * n_layers));
  }
}

TEST(BlueprintTest, RowLengthsAreThoseOfItsLinearLayers) {
  EXPECT_THAT(RowLengths(NamedModel("gemma3-4b").value()), ElementsAre(2560, 2048, 10240));
  EXPECT_THAT(RowLengths(NamedModel("gpt2").value()), ElementsAre(768, 3072));
}

TEST(BlueprintTest, SizesThatDoNotFitAreRefused) {
  GptConfig gpt = SmallGpt();
  EXPECT_TRUE(ValidateGptConfig(gpt).ok());
  gpt.n_heads = 3;
  EXPECT_TRUE(absl::IsInvalidArgument(ValidateGptConfig(gpt)));
  gpt.n_heads = 0;
  EXPECT_TRUE(absl::IsInvalidArgument(ValidateGptConfig(gpt)));
  Gemma3Config gemma = Gemma3Shape("gemma3-270m").value();
  EXPECT_TRUE(ValidateGemma3Config(gemma).ok());
  gemma.slides.pop_back();
  EXPECT_TRUE(absl::IsInvalidArgument(ValidateGemma3Config(gemma)));
}

TEST(LearnedParametersTest, NothingIsAddedForQuantizersThatDoNotLearn) {
  const ParameterList network = ParametersOf(SmallGpt());
  const QuantizerSpec ste{.estimator = "ste", .format = Format::kInt4};
  EXPECT_THAT(LearnedNames(WithLearned(network, {.weight = ste, .activation = ste})), IsEmpty());
}

TEST(LearnedParametersTest, AScaleStandsBeforeItsWeightAndHasItsRows) {
  const ParameterList network = ParametersOf(SmallGpt());
  Quantizers quantizers = OfWeights(Learning("post", Granularity::kRow));
  quantizers.skip = {"h.0.*"};
  const ParameterList list = WithLearned(network, quantizers);
  EXPECT_THAT(LearnedNames(list), ElementsAre("h.1.attn.qkv.weight.scale", "h.1.attn.proj.weight.scale",
                                              "h.1.mlp.fc.weight.scale", "h.1.mlp.proj.weight.scale"));
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list[i].of_quantizer()) continue;
    EXPECT_EQ(list[i].name, list[i + 1].name + ".scale");
    EXPECT_THAT(list[i].sizes, ElementsAre(list[i + 1].rows(), 1));
  }
  const ParameterList of_tensors = WithLearned(network, OfWeights(Learning("lsq", Granularity::kTensor)));
  EXPECT_THAT(Named(of_tensors, "h.0.mlp.fc.weight.scale").sizes, ElementsAre(1, 1));
}

TEST(LearnedParametersTest, TheFirstLayerOfAnInputThatIsNotSkippedHasWhatIsLearnedOfIt) {
  Gemma3Config config = Gemma3Shape("gemma3-270m").value();
  config.n_layers = 1;
  Quantizers quantizers = OfInputs(Learning("lsq", Granularity::kTensor));
  quantizers.skip = {"*.q_proj.*"};
  const std::string at = "model.layers.0.";
  EXPECT_THAT(LearnedNames(WithLearned(ParametersOf(config), quantizers)),
              ElementsAre(at + "self_attn.k_proj.weight.input_scale", at + "self_attn.o_proj.weight.input_scale",
                          at + "mlp.gate_proj.weight.input_scale", at + "mlp.down_proj.weight.input_scale"));
}

TEST(LearnedParametersTest, AsqAlsoHasTheNetworkThatMovesItsScale) {
  const ParameterList learned = LearnedByInput("x", Learning("asq", Granularity::kRow));
  EXPECT_THAT(LearnedNames(learned),
              ElementsAre("x.input_scale", "x.input_beta.hidden.weight", "x.input_beta.hidden.bias",
                          "x.input_beta.out.weight", "x.input_beta.out.bias"));
  EXPECT_EQ(Elements(learned), 1 + 8 * 3 + 8 + 8 + 1);
}

TEST(CostTest, AWeightsScaleIsMetadataAndAnInputsIsStoredBesideTheWeights) {
  const ParameterList network = ParametersOf(SmallGpt());
  const Quantizers weights = OfWeights(Learning("lsq", Granularity::kTensor));
  EXPECT_EQ(CostOf(WithLearned(network, weights), weights).storage_bytes, CostOf(network, weights).storage_bytes);
  const Quantizers inputs = OfInputs(Learning("lsq", Granularity::kTensor));
  EXPECT_EQ(CostOf(WithLearned(network, inputs), inputs).storage_bytes,
            CostOf(network, inputs).storage_bytes + 8 * 2);  // Two blocks of four inputs, 16 bits each.
}

}  // namespace
}  // namespace ridgeline
