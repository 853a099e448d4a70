// SPDX-License-Identifier: Apache-2.0
// The schema's documentation: complete, explained, and the same in docs/recipes.md.
#include "recipes/explain.h"

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/file.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "method/estimator_traits.h"
#include "recipes/scalar.h"
#include "recipes/schema.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

FieldExplanation Explain(const std::string& key) {
  absl::StatusOr<FieldExplanation> explanation = ExplainField(key);
  EXPECT_TRUE(explanation.ok()) << explanation.status();
  return explanation.ok() ? *explanation : FieldExplanation();
}

// Sections, leaves, and the keys of a list's items.
void Collect(const std::string& key, std::vector<FieldExplanation>* all) {
  FieldExplanation explanation = Explain(key);
  for (const FieldExplanation& child : explanation.children) Collect(child.key, all);
  if (!key.empty()) all->push_back(std::move(explanation));
}

TEST(SchemaTest, EveryKeyHasHelpThatIsASentence) {
  std::vector<FieldExplanation> all;
  Collect("", &all);
  EXPECT_GT(all.size(), AllRecipeKeys().size());
  for (const FieldExplanation& one : all) EXPECT_FALSE(one.help.empty()) << one.key;
}

TEST(SchemaTest, EveryScalarHasADefaultOrIsRequiredOrSaysWhatItsAbsenceMeans) {
  for (const std::string& key : AllRecipeKeys()) {
    FieldExplanation one = Explain(key);
    if (one.type == "map" || one.type.starts_with("list")) continue;
    bool says_so = false;
    for (const char* absence : {"overrides the named shape", "instead of random ones", "half of which is the default",
                                "is scored too", "where not set"}) {
      says_so |= one.help.find(absence) != std::string::npos;
    }
    bool documented = !one.default_value.empty() || one.required || says_so;
    EXPECT_TRUE(documented) << key;
    EXPECT_FALSE(one.required && !one.default_value.empty()) << key;
  }
}

TEST(SchemaTest, EveryNumberHasARange) {
  for (const std::string& key : AllRecipeKeys()) {
    FieldExplanation one = Explain(key);
    bool is_number = one.type == "integer" || one.type == "number";
    EXPECT_EQ(is_number, !one.range.empty()) << key;
  }
}

TEST(SchemaTest, EveryDefaultIsAValueOfItsField) {
  for (const std::string& key : AllRecipeKeys()) {
    auto resolved = recipe_internal::ResolveKey(key);
    ASSERT_TRUE(resolved) << key;
    const std::string& value = recipe_internal::DocOf(resolved->field).default_value();
    if (value.empty()) continue;
    v1::Recipe recipe;
    google::protobuf::Message* message = &recipe;
    for (const auto* parent : resolved->parents) message = message->GetReflection()->MutableMessage(message, parent);
    EXPECT_FALSE(recipe_internal::SetScalar(message, resolved->field, value, false)) << key;
  }
}

TEST(ExplainFieldTest, GivesTypeUnitRangeAndDefault) {
  FieldExplanation one = Explain("training.seq_len");
  EXPECT_EQ(one.key, "training.seq_len");
  EXPECT_EQ(one.type, "integer");
  EXPECT_EQ(one.unit, "tokens");
  EXPECT_EQ(one.default_value, "128");
  EXPECT_EQ(one.range, "2 to 131072");
  EXPECT_FALSE(one.required);
  EXPECT_EQ(Explain("optimizer.lr").range, "over 0, up to 10");
  EXPECT_TRUE(Explain("dataset.path").required);
}

TEST(ExplainFieldTest, EstimatorsAndFormatsAreThoseOfTheTable) {
  std::vector<std::string> estimators = {"none"}, formats = {"none"};
  for (const EstimatorTraits& traits : EveryEstimator()) estimators.emplace_back(traits.name);
  for (Format format : EveryFormat()) formats.emplace_back(FormatName(format));
  for (const char* key : {"quant.estimator", "quant.weight.estimator", "quant.activation.estimator"})
    EXPECT_EQ(Explain(key).one_of, estimators) << key;
  for (const char* key : {"quant.weight.format", "quant.activation.format"})
    EXPECT_EQ(Explain(key).one_of, formats) << key;
}

TEST(ExplainFieldTest, KnowsEveryKindOfKey) {
  EXPECT_EQ(Explain("quant").type, "section");
  EXPECT_EQ(Explain("quant").children.size(), 13u);
  EXPECT_EQ(Explain("quant").children[1].key, "quant.weight");
  EXPECT_EQ(Explain("export.frontier").type, "true/false");
  EXPECT_EQ(Explain("optimizer.lr").type, "number");
  EXPECT_EQ(Explain("name").type, "text");
  EXPECT_EQ(Explain("labels").type, "map");
  EXPECT_EQ(Explain("labels.team").type, "map");
  EXPECT_EQ(Explain("sweep.cases").type, "list");
  EXPECT_EQ(Explain("quant.skip").type, "list of text");
  EXPECT_TRUE(Explain("sweep.cases.name").required);
  EXPECT_EQ(Explain("").children[0].key, "name");
}

TEST(ExplainFieldTest, AnUnknownKeyIsNotFoundWithASuggestion) {
  absl::Status status = ExplainField("quant.lamda").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(status.message()), "unknown key 'quant.lamda' (did you mean 'quant.lambda'?)");
  EXPECT_THAT(std::string(ExplainField("lr").status().message()), HasSubstr("did you mean 'optimizer.lr'?"));
  EXPECT_THAT(std::string(ExplainField("quantt").status().message()), HasSubstr("did you mean 'quant'?"));
  EXPECT_THAT(std::string(ExplainField("zzzzzzzz").status().message()), HasSubstr("lists the keys"));
}

std::string EscapedForTable(const std::string& text) {
  std::string escaped;
  for (char c : text) escaped += c == '|' ? "\\|" : std::string(1, c);
  return escaped;
}

// A row of the table in docs/recipes.md. Names of a table of method/ stand in docs/methods.md.
std::string DocsRow(const FieldExplanation& one) {
  std::string allowed = one.one_of.empty() ? one.range : fmt::format("{}", fmt::join(one.one_of, ", "));
  const auto field = recipe_internal::ResolveKey(one.key);
  const std::string_view table = recipe_internal::TableOf(field->field);
  if (!table.empty()) allowed = fmt::format("none, or one of the [{0}](methods.md#{0})", table);
  if (!one.unit.empty()) allowed += " " + one.unit;
  std::string default_value = one.default_value.empty() ? "" : fmt::format("`{}`", one.default_value);
  if (one.required) default_value = "required";
  return fmt::format("| `{}` | {} | {} | {} | {} |", one.key, one.type, default_value, allowed,
                     EscapedForTable(one.help));
}

TEST(DocsTest, TheTableOfKeysSaysWhatTheSchemaSays) {
  absl::StatusOr<std::string> docs = ReadFile(RIDGELINE_SOURCE_DIR "/docs/recipes.md");
  ASSERT_TRUE(docs.ok()) << docs.status();
  std::string missing;
  for (const std::string& key : AllRecipeKeys()) {
    std::string row = DocsRow(Explain(key)) + "\n";
    if (docs->find(row) == std::string::npos) missing += row;
  }
  EXPECT_THAT(missing, IsEmpty()) << "put these rows into docs/recipes.md";
}

// The keys of the tables in docs/recipes.md, each once for each row.
std::vector<std::string> KeysOfDocs(const std::string& docs) {
  std::vector<std::string> keys;
  for (absl::string_view line : absl::StrSplit(docs, '\n')) {
    if (!absl::ConsumePrefix(&line, "| `")) continue;
    keys.emplace_back(line.substr(0, line.find('`')));
  }
  return keys;
}

TEST(DocsTest, TheTableOfKeysHasEachKeyOnceAndNoOther) {
  absl::StatusOr<std::string> docs = ReadFile(RIDGELINE_SOURCE_DIR "/docs/recipes.md");
  ASSERT_TRUE(docs.ok()) << docs.status();
  EXPECT_THAT(KeysOfDocs(*docs), UnorderedElementsAreArray(AllRecipeKeys()));
}

}  // namespace
}  // namespace ridgeline
