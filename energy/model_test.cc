// SPDX-License-Identifier: Apache-2.0
#include "energy/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "common/file.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

using testing::HasSubstr;

void ExpectEnergy(const ModelledEnergy& energy, double low, double joules, double high) {
  EXPECT_DOUBLE_EQ(energy.low, low);
  EXPECT_DOUBLE_EQ(energy.joules, joules);
  EXPECT_DOUBLE_EQ(energy.high, high);
}

TEST(EnergyModel, EachKindOfWorkCostsWhatTheTableSays) {
  ExpectEnergy(ModelEnergy({}).value(), 0, 0, 0);
  ExpectEnergy(ModelEnergy({.integer_products = 1e12}).value(), 0.3, 0.3, 0.3);  // int8 multiply, int32 add.
  ExpectEnergy(ModelEnergy({.float_products = 1e12}).value(), 4.6, 4.6, 4.6);    // float32 multiply and add.
  ExpectEnergy(ModelEnergy({.dram_bytes = 8e12}).value(), 1300, 1950, 2600);     // 1e12 times 64 bits.
  ExpectEnergy(ModelEnergy({}, {.watts = 40, .seconds = 0.5}).value(), 20, 20, 20);
}

TEST(EnergyModel, WorkAddsUp) {
  const ModelledEnergy all =
      ModelEnergy({.integer_products = 1e12, .float_products = 1e12, .dram_bytes = 8e12}, {.watts = 1, .seconds = 1})
          .value();
  ExpectEnergy(all, 1300 + 5.9, 1950 + 5.9, 2600 + 5.9);
}

TEST(EnergyModel, ATokenOfFewBitWeightsIsBytes) {
  // docs/energy.md has this example: 100 million weights of 4 bits with a 16-bit scale for each 128, a product each.
  const double weights = 1e8;
  const ModelledEnergy energy =
      ModelEnergy({.integer_products = weights, .dram_bytes = weights * (4 + 16.0 / 128) / 8}).value();
  EXPECT_NEAR(energy.joules, 12.6e-3, 0.05e-3);
  EXPECT_NEAR(energy.low, 8.4e-3, 0.05e-3);
  EXPECT_NEAR(energy.high, 16.8e-3, 0.05e-3);
  EXPECT_NEAR(ModelEnergy({.integer_products = weights}).value().joules, 0.03e-3, 1e-9);
}

TEST(EnergyModel, WorkThatCannotBeCountedIsRefused) {
  for (const double bad : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    for (const TokenWork& work :
         {TokenWork{.integer_products = bad}, TokenWork{.float_products = bad}, TokenWork{.dram_bytes = bad}})
      EXPECT_EQ(ModelEnergy(work).status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_EQ(ModelEnergy({}, {.watts = bad}).status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_EQ(ModelEnergy({}, {.seconds = bad}).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_THAT(ModelEnergy({.dram_bytes = -1}).status().message(), HasSubstr("dram_bytes"));
}

TEST(EnergyModel, EveryRowHasAnOrderedBandAUnitAndASource) {
  for (const EnergyCoefficient& row : EnergyCoefficients()) {
    EXPECT_GT(row.low, 0) << row.name;
    EXPECT_LE(row.low, row.central) << row.name;
    EXPECT_LE(row.central, row.high) << row.name;
    EXPECT_THAT(std::string(row.unit), testing::StartsWith("pJ")) << row.name;
    EXPECT_FALSE(row.source.empty()) << row.name;
  }
}

std::string RowOf(const EnergyCoefficient& row) {
  return fmt::format("| {} | {} | {} | {} | {} | {} |", row.name, row.low, row.central, row.high, row.unit, row.source);
}

std::vector<std::string> LinesBetween(const std::string& text, const std::string& begin, const std::string& end) {
  std::vector<std::string> lines;
  size_t at = text.find(begin);
  if (at == std::string::npos) return lines;
  for (at += begin.size(); text.compare(at, end.size(), end) != 0;) {
    const size_t line_end = text.find('\n', at);
    if (line_end == std::string::npos) break;
    lines.push_back(text.substr(at, line_end - at));
    at = line_end + 1;
  }
  return lines;
}

TEST(EnergyModelDocs, TheTableOfTheDocumentIsThatOfTheProgram) {
  const std::string document = ReadFile(RIDGELINE_SOURCE_DIR "/docs/energy.md").value();
  std::vector<std::string> expected;
  for (const EnergyCoefficient& row : EnergyCoefficients()) expected.push_back(RowOf(row));
  const std::string head = "| what | low | central | high | unit | source |\n|---|---|---|---|---|---|\n";
  EXPECT_EQ(LinesBetween(document, head, "\n"), expected);
}

}  // namespace
}  // namespace ridgeline
