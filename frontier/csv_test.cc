// SPDX-License-Identifier: Apache-2.0
#include "frontier/csv.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

namespace ridgeline {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;

constexpr char kHash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

std::string Header() { return std::string(kFrontierColumns) + "\n"; }

std::string MessageOf(const std::string& csv) { return std::string(FrontierFromCsv(csv).status().message()); }

v1::FrontierPoint FullPoint() {
  v1::FrontierPoint point;
  point.set_point_id("point-1");
  point.set_job_id("job-2");
  point.set_model("gpt-nano");
  point.set_dataset("kjv");
  point.set_estimator("ridge");
  point.set_weight_format("int1");
  point.set_weight_scheme("affine");
  point.set_weight_block(128);
  point.set_activation_format("int1");
  point.set_activation_scheme("affine");
  point.set_activation_block(128);
  point.set_hadamard(false);
  point.set_sparsity("dense");
  point.set_steps(500);
  point.set_tokens(768000);
  point.set_seed(1337);
  point.set_loss(2.38);
  point.set_accuracy(0.1 + 0.2);
  point.set_storage_bytes(405504);
  point.set_bits_per_element(1.25);
  point.set_energy_proxy(3.5e9);
  point.set_energy_joules_per_token(1e-7);
  point.set_decode_tokens_per_second(1234.5);
  point.set_pareto(true);
  point.set_second_loss(3.25);
  point.set_name("sweep/lr=1e-3,seed=1");
  point.set_artifact_sha256(kHash);
  point.set_energy_source("modelled");
  point.set_energy_low_joules_per_token(5e-8);
  point.set_energy_high_joules_per_token(2e-7);
  point.set_energy_above_idle_joules_per_token(7.5e-8);
  point.set_prefill_tokens_per_second(98765);
  point.set_cpu("Xeon 6975P-C, \"AMX\"");
  point.set_threads(2);
  point.set_embedding_format("int6");
  return point;
}

TEST(FrontierCsvTest, WritesTheContractedLine) {
  EXPECT_EQ(FrontierToCsv({FullPoint()}),
            Header() +
                "point-1,job-2,gpt-nano,kjv,ridge,int1,affine,128,int1,affine,128,false,dense,500,768000,1337,2.38,"
                "0.30000000000000004,405504,1.25,3500000000,1e-07,1234.5,true,3.25,\"sweep/lr=1e-3,seed=1\"," +
                kHash + ",modelled,5e-08,2e-07,7.5e-08,98765,\"Xeon 6975P-C, \"\"AMX\"\"\",2,int6\n");
}

TEST(FrontierCsvTest, UnmeasuredFieldsAreEmpty) {
  v1::FrontierPoint point;
  point.set_loss(std::nan(""));
  EXPECT_EQ(FrontierToCsv({point}), Header() + ",,,,,,,,,,,,,0,0,0,,,,,,,,false,,,,,,,,,,,\n");
  const v1::FrontierPoint back = FrontierFromCsv(FrontierToCsv({point})).value()[0];
  EXPECT_FALSE(back.has_accuracy());
  EXPECT_FALSE(back.has_second_loss());
  EXPECT_FALSE(back.has_threads());
}

TEST(FrontierCsvTest, HostileTextsAndRandomNumbersRoundTrip) {
  std::mt19937_64 random(3);
  std::vector<v1::FrontierPoint> points;
  for (const char* text :
       {"plain", "a,b", "say \"hi\"", "two\nlines", "crlf\r\n", "\"", "\xE2\x82\xAC", " spaces ", "="}) {
    points.push_back(FullPoint());
    points.back().set_model(text);
    double value;
    do {
      uint64_t bits = random();
      std::memcpy(&value, &bits, sizeof value);
    } while (!std::isfinite(value));
    points.back().set_loss(std::abs(value));
    points.back().set_seed(static_cast<int64_t>(random()));
  }
  auto back = FrontierFromCsv(FrontierToCsv(points)).value();
  ASSERT_EQ(back.size(), points.size());
  for (size_t i = 0; i < points.size(); ++i) EXPECT_TRUE(MessageDifferencer::Equals(points[i], back[i])) << i;
}

TEST(FrontierCsvTest, SpreadsheetLineEndsAreRead) {
  v1::FrontierPoint other = FullPoint();
  other.set_point_id("point-2");
  std::string csv = FrontierToCsv({FullPoint(), other});
  std::string crlf;
  for (char c : csv) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_EQ(FrontierToCsv(FrontierFromCsv(crlf).value()), csv);
}

TEST(FrontierCsvTest, AByteOrderMarkIsReadPast) {
  const std::string csv = FrontierToCsv({FullPoint()});
  EXPECT_EQ(FrontierToCsv(FrontierFromCsv("\xEF\xBB\xBF" + csv).value()), csv);
  EXPECT_THAT(MessageOf("\xEF\xBB\xBF\xEF\xBB\xBF" + csv), HasSubstr("not the header"));
}

TEST(FrontierCsvTest, APointThatIsThereTwiceIsRefusedWithBothLines) {
  const v1::FrontierPoint point = FullPoint();
  v1::FrontierPoint other = point;
  other.set_point_id("point-2");
  other.set_name("two\nlines");
  v1::FrontierPoint again = point;
  again.set_pareto(false);
  EXPECT_THAT(MessageOf(FrontierToCsv({point, other, again})),
              HasSubstr("line 5: 'point-1' is the same point as in line 2; keep one of them"));
  again.set_loss(2.5);  // Another coordinator's.
  EXPECT_EQ(FrontierFromCsv(FrontierToCsv({point, other, again}))->size(), 3u);
  again.clear_point_id();
  EXPECT_EQ(FrontierFromCsv(FrontierToCsv({again, again}))->size(), 2u) << "nothing says that these are one";
}

// The file as a version wrote it whose header ended with this column. REQUIRES: no commas inside the point's texts.
std::string FileOfVersion(const std::string& last_column, const v1::FrontierPoint& point) {
  std::string old;
  for (std::string line : {std::string(kFrontierColumns), FrontierToCsv({point}).substr(Header().size())}) {
    const auto columns_before = std::string_view(kFrontierColumns).substr(0, kFrontierColumns.find("," + last_column));
    size_t end = 0;
    for (auto commas = std::count(columns_before.begin(), columns_before.end(), ',') + 2; commas > 0; --commas)
      end = line.find(',', end + 1);
    old += line.substr(0, end) + "\n";
  }
  return old;
}

TEST(FrontierCsvTest, FilesOfEveryEarlierVersionAreRead) {
  v1::FrontierPoint point = FullPoint();
  point.set_name("plain");
  for (const char* field :
       {"artifact_sha256", "energy_low_joules_per_token", "energy_high_joules_per_token",
        "energy_above_idle_joules_per_token", "prefill_tokens_per_second", "cpu", "threads", "embedding_format"})
    point.GetReflection()->ClearField(&point, v1::FrontierPoint::descriptor()->FindFieldByName(field));
  v1::FrontierPoint old = point;
  old.clear_energy_source();
  for (const char* last : {"name", "second_loss", "pareto"}) {
    const std::string file = FileOfVersion(last, point);
    EXPECT_THAT(file, HasSubstr(std::string(last) + "\n"));
    EXPECT_THAT(file, HasSubstr(",1e-07,"));
    EXPECT_TRUE(MessageDifferencer::Equals(FrontierFromCsv(file).value().at(0), old)) << last;
    old.GetReflection()->ClearField(&old, v1::FrontierPoint::descriptor()->FindFieldByName(last));
  }
  for (const char* last : {"threads", "energy_source", "seed"})
    EXPECT_THAT(MessageOf(Header().substr(0, kFrontierColumns.find(std::string(",") + last)) + "\n"),
                HasSubstr("not the header"))
        << last;
  EXPECT_THAT(MessageOf(Header().substr(0, Header().size() - 2) + "\n"), HasSubstr("not the header"));
}

TEST(FrontierCsvTest, JoulesWithoutASourceAreNotWritten) {
  v1::FrontierPoint point = FullPoint();
  for (const char* source : {"", "guessed"}) {
    point.set_energy_source(source);
    const v1::FrontierPoint back = FrontierFromCsv(FrontierToCsv({point})).value().at(0);
    EXPECT_FALSE(back.has_energy_joules_per_token()) << source;
    EXPECT_EQ(back.energy_source(), "");
  }
  point.set_energy_source("rapl");
  point.set_energy_joules_per_token(std::nan(""));
  EXPECT_EQ(FrontierFromCsv(FrontierToCsv({point})).value().at(0).energy_source(), "");
}

TEST(FrontierCsvTest, WrongTextIsRefusedWithItsPlace) {
  std::string good = FrontierToCsv({FullPoint()});
  EXPECT_THAT(MessageOf(""), HasSubstr("line 1"));
  EXPECT_THAT(MessageOf("a,b\n"), HasSubstr("header"));
  EXPECT_THAT(MessageOf(good + "1,2\n"), HasSubstr("line 3: 2 fields, expected 35"));
  EXPECT_THAT(MessageOf(good + "\"open"), HasSubstr("line 3: a quoted field does not end"));
  EXPECT_THAT(MessageOf(good + "\"a\"b"), HasSubstr("after a closing quote"));
  EXPECT_THAT(MessageOf(good + "a\"b"), HasSubstr("not quoted"));
  auto with = [&](const std::string& from, const std::string& to) {
    std::string csv = good;
    return MessageOf(csv.replace(csv.rfind(from), from.size(), to));
  };
  EXPECT_THAT(with("2.38", "2.38x"), HasSubstr("line 2, column loss: '2.38x'"));
  EXPECT_THAT(with("2.38", "nan"), HasSubstr("column loss"));
  EXPECT_THAT(with("2.38", "1e999"), HasSubstr("column loss"));
  EXPECT_THAT(with("500,", ","), HasSubstr("column steps"));
  EXPECT_THAT(with("1337", "99999999999999999999"), HasSubstr("column seed"));
  EXPECT_THAT(with("true", "yes"), HasSubstr("column pareto: 'yes' is not bool"));
  EXPECT_THAT(with("0.30000000000000004", "1e20"), HasSubstr("line 2, column accuracy: not from 0 to 1"));
  EXPECT_THAT(with("2.38", "-2.38"), HasSubstr("line 2, column loss: below 0"));
  EXPECT_THAT(with("500,", "-500,"), HasSubstr("line 2, column steps: below 0"));
  EXPECT_THAT(with("kjv", "\xFF"), HasSubstr("column dataset"));
  EXPECT_THAT(with(",modelled", ","),
              HasSubstr("line 2, column energy_joules_per_token: joules without energy_source"));
  EXPECT_THAT(with(",1e-07,", ",,"), HasSubstr("line 2, column energy_source: a source without"));
  EXPECT_THAT(with("modelled", "guessed"), HasSubstr("'guessed' is not one of rapl, nvml, modelled"));
  EXPECT_THAT(with("0123456789abcdef,", "0123456789abcde,"), HasSubstr("column artifact_sha256: not 64 digits"));
  EXPECT_THAT(with("0123456789abcdef,", "0123456789abcdeg,"), HasSubstr("column artifact_sha256: not 64 digits"));
  EXPECT_THAT(with("\",2,", "\",2.5,"), HasSubstr("column threads: '2.5' is not int32"));
}

}  // namespace
}  // namespace ridgeline
