// SPDX-License-Identifier: Apache-2.0
// Our torchao estimator against the package itself, bit for bit: testdata/torchao.txt is what the package computed, and
// testdata/make_torchao_golden.py how to compute it again.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "method/problems.h"
#include "method/resolved_spec.h"
#include "quant/kernels/estimator.h"

namespace ridgeline {
namespace {

struct GoldenRow {
  std::vector<float> x, x_hat, gradient;
};

struct GoldenCase {
  QuantizerSpec spec;
  std::vector<GoldenRow> rows;
};

std::vector<float> FloatsFromBits(const std::string& line) {
  std::istringstream words(line);
  std::vector<float> numbers;
  for (uint32_t bits; words >> std::hex >> bits;) {
    float number;
    std::memcpy(&number, &bits, sizeof(number));
    numbers.push_back(number);
  }
  return numbers;
}

std::vector<float> FloatsFromText(const std::string& line) {
  std::istringstream words(line);
  std::vector<float> numbers;
  for (float number; words >> number;) numbers.push_back(number);
  return numbers;
}

GoldenCase ReadCase(const std::string& header, std::ifstream& file) {
  std::istringstream words(header);
  std::string word, format, scheme, line;
  int64_t block = 0, rows = 0, features = 0;
  words >> word >> format >> scheme >> block >> rows >> features;
  GoldenCase golden{{.estimator = "torchao",
                     .format = ParseFormat(format).value(),
                     .scheme = ParseScheme(scheme).value(),
                     .block = block == 0 ? features : block},
                    {}};
  for (int64_t row = 0; row < rows; ++row) {
    GoldenRow next;
    for (std::vector<float>* numbers : {&next.x, &next.x_hat}) {
      std::getline(file, line);
      *numbers = FloatsFromBits(line);
    }
    std::getline(file, line);
    next.gradient = FloatsFromText(line);
    golden.rows.push_back(next);
  }
  return golden;
}

std::vector<GoldenCase> ReadGolden() {
  std::ifstream file(RIDGELINE_TESTDATA "/torchao.txt");
  std::vector<GoldenCase> cases;
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("case ")) cases.push_back(ReadCase(line, file));
  return cases;
}

uint32_t Bits(float number) {
  uint32_t bits;
  std::memcpy(&bits, &number, sizeof(bits));
  return bits;
}

TEST(TorchaoTest, ValuesAreThePackagesBitForBitAndGradientsPassWhereItsDo) {
  const std::vector<GoldenCase> cases = ReadGolden();
  ASSERT_EQ(cases.size(), 4u);
  for (const GoldenCase& golden : cases) {
    ASSERT_TRUE(ValidateQuantizerSpec(golden.spec).ok());
    for (size_t row = 0; row < golden.rows.size(); ++row) {
      SCOPED_TRACE(std::string(FormatName(golden.spec.format)) + " " + std::string(SchemeName(golden.spec.scheme)) +
                   " row " + std::to_string(row));
      const GoldenRow& want = golden.rows[row];
      ASSERT_EQ(want.x.size(), 64u);
      ASSERT_EQ(want.x_hat.size(), want.x.size());
      ASSERT_EQ(want.gradient.size(), want.x.size());
      std::vector<float> x_hat(want.x.size()), dx(want.x.size()), v(want.x.size(), 1);
      const int64_t features = static_cast<int64_t>(want.x.size());
      const Estimator& estimator = **FindEstimator("torchao");
      estimator.Forward(golden.spec, want.x.data(), 1, features, x_hat.data());
      estimator.Backward(golden.spec, want.x.data(), nullptr, v.data(), 1, features, dx.data());
      for (size_t i = 0; i < x_hat.size(); ++i) {
        EXPECT_EQ(Bits(x_hat[i]), Bits(want.x_hat[i])) << want.x[i] << " at " << i;
        EXPECT_EQ(dx[i], want.gradient[i]) << want.x[i] << " at " << i;
      }
    }
  }
}

}  // namespace
}  // namespace ridgeline
