// SPDX-License-Identifier: Apache-2.0
// Every kind of mistake, each with the exact place, key, message and remedy that people see.
#include "recipes/recipe_reader.h"

#include <cstdlib>
#include <ostream>
#include <string>
#include <vector>

#include "common/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "recipes/testing.h"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct Mistake {
  const char* name;
  std::string yaml;
  std::string problem;
};

// Without it, the names that CTest sees hold addresses.
void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

class MistakeTest : public ::testing::TestWithParam<Mistake> {};

TEST_P(MistakeTest, IsTheOneProblemReported) {
  EXPECT_THAT(ProblemsOf(GetParam().yaml), ElementsAre(GetParam().problem));
}

// `lines` after a dataset, which every recipe needs; they start on line 2.
std::string With(const std::string& lines) { return "dataset: {path: x}\n" + lines; }

INSTANTIATE_TEST_SUITE_P(
    Keys, MistakeTest,
    ::testing::Values(
        Mistake{"Misspelt", With("quant:\n  lamda: 0.1\n"),
                "r:3:3: quant.lamda: unknown key 'lamda' (did you mean 'lambda'?)"},
        Mistake{"AtTheWrongLevel", With("lr: 1e-3\n"), "r:2:1: lr: unknown key 'lr' (did you mean 'optimizer.lr'?)"},
        Mistake{"OneLevelTooDeep", With("training: {priority: 3}\n"),
                "r:2:12: training.priority: unknown key 'priority' (did you mean 'priority' at the top level?)"},
        Mistake{"Dotted", With("optimizer.lr: 1e-3\n"),
                "r:2:1: optimizer.lr: unknown key 'optimizer.lr' (write `lr:` under `optimizer:`)"},
        Mistake{"LikeNoOther", With("resources: {zebra: 1}\n"),
                "r:2:13: resources.zebra: unknown key 'zebra' (its keys: ranks, device, memory, time_limit, labels)"},
        Mistake{"Duplicate", With("name: a\nname: b\n"),
                "r:3:1: name: duplicate key, first set on line 2 (keep one of the two)"},
        Mistake{"DuplicateLabel", With("labels: {team: a, team: b}\n"),
                "r:2:19: labels.team: duplicate key, first set on line 2 (keep one of the two)"},
        Mistake{"List", With("[a]: 1\n"), "r:2:1: a key must be text, not a list (write `key: value`)"},
        Mistake{"Merge", With("training: {<<: 1}\n"),
                "r:2:12: training.<<: unknown key '<<' (merge keys are not supported; write the keys out)"},
        Mistake{"MisspeltSectionHidesWhatItHolds", "datset: {path: x}\n",
                "r:1:1: datset: unknown key 'datset' (did you mean 'dataset'?)"},
        Mistake{"RequiredIsMissing", "name: a\n",
                "r:1:1: dataset.path: is required (add `path:` under `dataset`; Folder that `ridgeline data prepare` "
                "wrote (it holds dataset.json).)"},
        Mistake{"RequiredIsMissingInItsSection", "name: a\ndataset: {}\n",
                "r:2:1: dataset.path: is required (add `path:` under `dataset`; Folder that `ridgeline data prepare` "
                "wrote (it holds dataset.json).)"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Values, MistakeTest,
    ::testing::Values(
        Mistake{"TextForAnInteger", With("training:\n  steps: many\n"),
                "r:3:10: training.steps: 'many' is not an integer (write a whole number in decimal digits, like 500)"},
        Mistake{"DecimalPointInAnInteger", With("training: {steps: 12.0}\n"),
                "r:2:19: training.steps: '12.0' is not an integer (write a whole number in decimal digits, like 500)"},
        Mistake{"ExponentInAnInteger", With("training: {steps: 1e3}\n"),
                "r:2:19: training.steps: '1e3' is not an integer (write a whole number in decimal digits, like 500)"},
        Mistake{"LeadingZeroInAnInteger", With("training: {seed: 010}\n"),
                "r:2:18: training.seed: '010' is not an integer (write a whole number in decimal digits, like 1337)"},
        Mistake{"IntegerBeyond64Bits", With("training: {seed: 99999999999999999999}\n"),
                "r:2:18: training.seed: '99999999999999999999' is out of range (allowed: 0 to 9007199254740991)"},
        Mistake{"IntegerBeyond32Bits", With("training: {steps: 4294967297}\n"),
                "r:2:19: training.steps: '4294967297' is out of range (allowed: 1 to 100000000 steps)"},
        Mistake{"Nan", With("optimizer: {lr: .nan}\n"),
                "r:2:17: optimizer.lr: '.nan' is not a number (write a finite decimal number, like 1e-3)"},
        Mistake{"NanWithoutDot", With("optimizer: {lr: nan}\n"),
                "r:2:17: optimizer.lr: 'nan' is not a number (write a finite decimal number, like 1e-3)"},
        Mistake{"Infinity", With("optimizer: {lr: inf}\n"),
                "r:2:17: optimizer.lr: 'inf' is not a number (write a finite decimal number, like 1e-3)"},
        Mistake{"TrailingText", With("optimizer: {lr: 1e-3f}\n"),
                "r:2:17: optimizer.lr: '1e-3f' is not a number (write a finite decimal number, like 1e-3)"},
        Mistake{"NumberTooLargeForADouble", With("optimizer: {lr: 1e999}\n"),
                "r:2:17: optimizer.lr: '1e999' is out of range (allowed: over 0, up to 10)"},
        Mistake{"BelowTheRange", With("training: {seq_len: 1}\n"),
                "r:2:21: training.seq_len: 1 is out of range (allowed: 2 to 131072 tokens)"},
        Mistake{"AtAnExclusiveMinimum", With("optimizer: {lr: 0}\n"),
                "r:2:17: optimizer.lr: 0 is out of range (allowed: over 0, up to 10)"},
        Mistake{"AboveTheRange", With("priority: 1001\n"),
                "r:2:11: priority: 1001 is out of range (allowed: -1000 to 1000)"},
        Mistake{"NotOneOfTheChoices", With("optimizer: {name: adam}\n"),
                "r:2:19: optimizer.name: 'adam' is not allowed (did you mean 'adamw'? allowed: adamw)"},
        Mistake{
            "ALongerNameThanOurs", With("optimizer: {name: adamw_8bit_of_somebody}\n"),
            "r:2:19: optimizer.name: 'adamw_8bit_of_somebody' is not allowed (did you mean 'adamw'? allowed: adamw)"},
        Mistake{"YesForTrue", With("export: {frontier: yes}\n"),
                "r:2:20: export.frontier: 'yes' is neither true nor false (write true or false)"},
        Mistake{"QuotedNumber", With("training: {steps: \"5\"}\n"),
                "r:2:19: training.steps: '5' is text in quotes, not of type integer (remove the quotes)"},
        Mistake{"ListForAScalar", With("training: {steps: [5]}\n"),
                "r:2:19: training.steps: must be a single value of type integer, not a list (allowed: 1 to "
                "100000000 steps)"},
        Mistake{"ScalarForASection", With("resources: 2\n"),
                "r:2:12: resources: must be a section, not a single value (its keys: ranks, device, memory, "
                "time_limit, labels)"},
        Mistake{"ListForAMap", With("labels: [a]\n"), "r:2:9: labels: must be `key: value` pairs, not a list"},
        Mistake{"SectionForAList", With("sweep: {method: cases, cases: {a: b}}\n"),
                "r:2:31: sweep.cases: must be a list, not a section (start each item with '-'; its keys: name, set)"},
        Mistake{"NoValue", With("name:\npriority: 1\n"),
                "r:2:1: name: has no value (write a single value of type text, or remove the key)"},
        Mistake{"EmptyText", With("name: ''\n"), "r:2:7: name: is empty (write a value, or remove the key)"},
        Mistake{"LineBreakInText", With("name: \"a\\nb\"\n"),
                "r:2:7: name: 'a\\x0ab' holds the control character \\x0a (write it on one line, without control "
                "characters)"},
        Mistake{"LabelKeyThatNoSelectorCouldName", With("labels: {a b: c}\n"),
                "r:2:15: labels.a b: 'a b' cannot be a label's key (use letters, digits and _ . - /, at "
                "most 63 bytes)"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Rules, MistakeTest,
    ::testing::Values(
        Mistake{"FormatWithoutEstimator", With("quant:\n  estimator: none\n  weight:\n    format: int1\n"),
                "r:5:13: quant.weight.format: int1 needs an estimator, and quant.estimator is none (set "
                "quant.estimator to ridge, ste, quest or ridge_trust, or the format to none)"},
        Mistake{"EstimatorWithoutFormat", With("quant: {estimator: ridge}\n"),
                "r:2:20: quant.estimator: ridge has nothing to quantize: the formats of weight and activation are none "
                "(set quant.weight.format or quant.activation.format, or the estimator to none)"},
        Mistake{"TernaryAffine", With("quant: {estimator: ste, activation: {format: ternary, scheme: affine}}\n"),
                "r:2:63: quant.activation.scheme: ternary has no affine scheme (use linear, or remove the key)"},
        Mistake{"QuestAffine", With("quant: {estimator: quest, weight: {format: int2, scheme: affine}}\n"),
                "r:2:58: quant.weight.scheme: quest has no affine scheme (use linear, or remove the key)"},
        Mistake{"QuestOnAMinMaxGrid", With("quant: {estimator: quest, grid: minmax, weight: {format: int2}}\n"),
                "r:2:33: quant.grid: quest has no minmax grid (use gaussian, or remove the key)"},
        Mistake{"RidgeTrustWithItsGridInTheGraph",
                With("quant: {estimator: ridge_trust, grid_gradient: graph, weight: {format: int2}}\n"),
                "r:2:48: quant.grid_gradient: ridge_trust has no grid_gradient graph (use detached, or remove "
                "the key)"},
        Mistake{
            "HadamardBlockThatIsNoPowerOfTwo",
            With("quant: {estimator: ridge, hadamard: true, weight: {format: int2, block: 96}}\n"),
            "r:2:73: quant.weight.block: 96 is not a power of two, and hadamard is true (use one such as 64 or 128)"},
        Mistake{"HadamardBlockWithATail",
                With("quant: {estimator: ridge, hadamard: true, activation: {format: int2, block: 256}}\n"),
                "r:2:77: quant.activation.block: 256 does not divide rows of 128 features, and Hadamard blocks have no "
                "tail (set it to a power of two up to 128, or quant.hadamard to false)"},
        Mistake{"GptWithoutWidth", With("model: {name: gpt, n_layers: 2, n_heads: 2}\n"),
                "r:2:1: model.dim: is required by model.name gpt (set it, or name a shape like gpt-nano)"},
        Mistake{"HeadsThatDoNotDivideTheWidth", With("model: {name: gpt, n_layers: 2, dim: 100, n_heads: 3}\n"),
                "r:2:52: model.n_heads: 3 heads do not divide the width 100 (make model.dim a multiple of "
                "model.n_heads)"},
        Mistake{"HeadsThatDoNotDivideTheNamedWidth", With("model: {name: gpt-nano, n_heads: 5}\n"),
                "r:2:34: model.n_heads: 5 heads do not divide the width 128 (make model.dim a multiple of "
                "model.n_heads)"},
        Mistake{"WarmupLongerThanTheRun", With("training: {steps: 10}\nlr_scheduler: {warmup_steps: 11}\n"),
                "r:3:30: lr_scheduler.warmup_steps: 11 is over training.steps, which is 10 (at most 10)"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Text, MistakeTest,
    ::testing::Values(
        Mistake{"Empty", "", "r:1:1: the recipe is empty (it needs at least `dataset: {path: ...}`)"},
        Mistake{"OnlyComments", "# a\n", "r:1:1: the recipe is empty (it needs at least `dataset: {path: ...}`)"},
        Mistake{"NoSection", "abc\n",
                "r:1:1: a recipe must be `key: value` pairs, not a single value (its keys: name, model, dataset, "
                "training, optimizer, lr_scheduler, quant, checkpoint, validation, resources, recovery, sweep, export, "
                "priority, "
                "sparsity, activation_checkpoint, parallelism, queue, labels)"},
        Mistake{"OpenBracket", "dataset: {path: x\n",
                "r:2:1: not valid YAML: end of map flow not found (check the indentation, colons, quotes and brackets "
                "here and on the line above)"},
        Mistake{"WrongIndentation", With("  name: a\n"),
                "r:2:3: not valid YAML: end of map not found (check the indentation, colons, quotes and brackets here "
                "and on the line above)"},
        Mistake{"TabInIndentation", "dataset:\n\tpath: x\n",
                "r:2:6: not valid YAML: illegal map value (indent with spaces, not tabs)"},
        Mistake{"OpenSingleQuote", With("name: 'it''s\npriority: 3\n"),
                "r:2:7: the quote is not closed on its line (close it)"},
        Mistake{"OpenDoubleQuote", With("name: \"a\\\"\npriority: 3\n"),
                "r:2:7: the quote is not closed on its line (close it)"},
        Mistake{"UnknownAlias", With("name: *a\n"),
                "r:2:7: not valid YAML: the referenced anchor is not defined (check the indentation, colons, quotes "
                "and brackets here and on the line above)"},
        Mistake{"Tag", With("name: !!str a\n"),
                "r:2:7: the value has a YAML tag (remove the word that starts with '!')"},
        Mistake{"SecondDocument", With("---\nname: a\n"),
                "r:2:1: a second YAML document starts here (put each recipe into a file of its own)"},
        Mistake{"ZeroByte", std::string("name: a\nda\0ta: x\n", 16),
                "r:2:3: the text holds the control character \\x00 (recipes are plain text)"},
        Mistake{"EndOfFileCharacterThatYamlCppWouldObey", With("name: \x04\n"),
                "r:2:7: the text holds the control character \\x04 (recipes are plain text)"},
        Mistake{"NotUtf8", With("name: \xff\n"), "r:2:7: the text is not UTF-8 (byte \\xff) (save the file as UTF-8)"},
        Mistake{"Utf16",
                std::string("\xff\xfe"
                            "a",
                            3),
                "r:1:1: the text is not UTF-8 (byte \\xff) (save the file as UTF-8)"}),
    [](const auto& info) { return info.param.name; });

TEST(ReadRecipeTest, AllProblemsComeAtOnceInOrderOfPlace) {
  EXPECT_THAT(ProblemsOf("quant: {lamda: 1}\n"
                         "training:\n"
                         "  steps: 0\n"
                         "  steps: x\n"
                         "dataset: {path: x}\n"
                         "nme: a\n"),
              ElementsAre(StartsWith("r:1:9: quant.lamda: unknown key"), StartsWith("r:3:10: training.steps: 0 is out"),
                          StartsWith("r:4:3: training.steps: duplicate key"), StartsWith("r:6:1: nme: unknown key")));
}

TEST(ReadRecipeTest, AcceptsWhatYamlAllowsForTheSameValue) {
  RecipeReadResult result = ReadRecipe(
      "\xEF\xBB\xBF%YAML 1.2\n---\n\"dataset\": {path: &p 'a b'}\nname: *p\n? training\n: {steps: 7, max_norm: 1}\r\n"
      "optimizer: {lr: 1E-3}\nquant:\nlabels: {year: 2024, path: *p}\n...\n",
      "r", {});
  EXPECT_THAT(result.problems, IsEmpty());
  EXPECT_EQ(result.recipe.dataset().path(), "a b");
  EXPECT_EQ(result.recipe.name(), "a b");
  EXPECT_EQ(result.recipe.training().steps(), 7);
  EXPECT_EQ(result.recipe.training().max_norm(), 1.0);
  EXPECT_EQ(result.recipe.optimizer().lr(), 1e-3);
  EXPECT_EQ(result.recipe.labels().at("year"), "2024");
  EXPECT_EQ(result.recipe.labels().at("path"), "a b");
  EXPECT_FALSE(result.recipe.has_quant());
}

TEST(ReadRecipeTest, LeavesDefaultsOut) {
  RecipeReadResult result = ReadRecipe("dataset: {path: x}\n", "r", {});
  EXPECT_THAT(result.problems, IsEmpty());
  EXPECT_FALSE(result.recipe.has_training());
}

TEST(ReadRecipeTest, OverridesComeBeforeValidation) {
  RecipeReadResult result = ReadRecipe("training: {steps: 5}\n", "r", {{"dataset.path", "x"}, {"training.steps", "9"}});
  EXPECT_THAT(result.problems, IsEmpty());
  EXPECT_EQ(result.recipe.training().steps(), 9);
}

TEST(ReadRecipeTest, ProblemsOfOverridesNameSetInsteadOfAPlace) {
  EXPECT_THAT(ProblemsOf("dataset: {path: x}\ntraining: {steps: 5}\n",
                         {{"training.steps", "0"}, {"optimiser.lr", "1"}, {"quant", "ste"}, {"training.seed", "1.5"}}),
              ElementsAre("--set: optimiser.lr: unknown key 'optimiser.lr' (did you mean 'optimizer.lr'?)",
                          "--set: quant: is a section and takes no single value (its keys: estimator, weight, "
                          "activation, lambda, grid_gradient, grid, hadamard, skip, fit_gradient, trust, "
                          "hadamard_signs, weight_scales, embedding)",
                          "--set: training.seed: '1.5' is not an integer (write a whole number in decimal digits, like "
                          "1337)",
                          "--set: training.steps: 0 is out of range (allowed: 1 to 100000000 steps)"));
}

TEST(ReadRecipeFileTest, NamesTheFileInEveryProblem) {
  std::string path = ::testing::TempDir() + "/recipe_reader_test.yaml";
  ASSERT_TRUE(WriteFileAtomically(path, "dataset: {path: x}\nnmae: a\n").ok());
  RecipeReadResult result = ReadRecipeFile(path, {});
  ASSERT_EQ(result.problems.size(), 1u);
  EXPECT_EQ(result.problems[0].ToString(), path + ":2:1: nmae: unknown key 'nmae' (did you mean 'name'?)");
}

TEST(ReadRecipeFileTest, AMissingFileIsAProblem) {
  RecipeReadResult result = ReadRecipeFile("/nonexistent/r.yaml", {});
  ASSERT_EQ(result.problems.size(), 1u);
  EXPECT_THAT(result.problems[0].ToString(), ::testing::HasSubstr("/nonexistent/r.yaml"));
}

TEST(RecipePlacesTest, AKeyThatIsNotWrittenStandsAtTheSectionAroundIt) {
  const RecipeReadResult read = ReadRecipe(With("quant:\n  weight: {format: int4}\n"), "r", {{"training.steps", "5"}});
  const auto at = [&](const std::string& key) {
    const RecipePlace place = PlaceOf(read.places, key);
    return RecipeProblem{place.file, place.line, place.column, key, "x", ""}.ToString();
  };
  EXPECT_EQ(at("quant.weight.format"), "r:3:20: quant.weight.format: x");
  EXPECT_EQ(at("quant.weight.block"), "r:3:3: quant.weight.block: x");
  EXPECT_EQ(at("quant.embedding"), "r:2:1: quant.embedding: x");
  EXPECT_EQ(at("training.steps"), "--set: training.steps: x");
  EXPECT_EQ(at("export.weights"), "r:1:1: export.weights: x");
}

TEST(ValidateRecipeTest, FindsInAMessageWhatItFindsInYaml) {
  v1::Recipe recipe;
  recipe.mutable_training()->set_steps(-3);
  (*recipe.mutable_labels())["a\nb"] = "c";
  std::vector<std::string> problems;
  for (const RecipeProblem& problem : ValidateRecipe(recipe)) problems.push_back(problem.ToString());
  EXPECT_THAT(problems, ElementsAre(StartsWith("dataset.path: is required"),
                                    "training.steps: -3 is out of range (allowed: 1 to 100000000 steps)",
                                    StartsWith("'labels.a\\x0ab': 'a\\x0ab' cannot be a label's key")));
}

TEST(ValidateRecipeTest, RefusesWhatANewerClientMayHaveMeant) {
  v1::Recipe recipe;
  recipe.mutable_dataset()->set_path("x");
  recipe.mutable_training()->GetReflection()->MutableUnknownFields(recipe.mutable_training())->AddVarint(900, 1);
  std::vector<RecipeProblem> problems = ValidateRecipe(recipe);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].key, "training");
}

TEST(ValidateRecipeTest, RefusesANumberThatIsNone) {
  v1::Recipe recipe;
  recipe.mutable_dataset()->set_path("x");
  recipe.mutable_optimizer()->set_lr(std::strtod("nan", nullptr));
  ASSERT_EQ(ValidateRecipe(recipe).size(), 1u);
}

}  // namespace
}  // namespace ridgeline
