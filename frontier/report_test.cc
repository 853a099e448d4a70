// SPDX-License-Identifier: Apache-2.0
// Reports as text; tests/browser opens them in a browser.
#include "frontier/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "frontier/html.h"
#include "frontier/pareto.h"
#include "frontier/plot_layout.h"
#include "frontier/recipe_differences.h"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::FrontierPoint Point(const std::string& name, double accuracy, double bytes) {
  v1::FrontierPoint point;
  point.set_job_id("job-" + name);
  point.set_name(name);
  point.set_model("gpt-nano");
  point.set_dataset("kjv");
  point.set_estimator("ridge");
  point.set_weight_format("int1");
  point.set_activation_format("int4");
  point.set_steps(12'500);
  point.set_accuracy(accuracy);
  point.set_loss(2.5);
  point.set_storage_bytes(bytes);
  point.set_energy_proxy(bytes * 3);
  return point;
}

FrontierReport SomeReport() {
  FrontierReport report{
      .points = {Point("large", 0.5, 1 << 20), Point("small", 0.25, 1 << 18), Point("beaten", 0.2, 1 << 19)}};
  MarkPareto(&report.points);
  return report;
}

std::string HtmlOf(const FrontierReport& report) { return FrontierReportHtml(report).value(); }

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// Between the first two of these marks.
std::string Between(const std::string& text, const std::string& from, const std::string& to) {
  const size_t begin = text.find(from);
  return begin == std::string::npos ? "" : text.substr(begin, text.find(to, begin) - begin);
}

void SetJoules(v1::FrontierPoint* point, double joules, const std::string& source) {
  point->set_energy_joules_per_token(joules);
  point->set_energy_source(source);
}

TEST(FrontierReportTest, SaysWhatItIsOfAndWhatThePointsReach) {
  FrontierReport report = SomeReport();
  report.date = "2026-11-30";
  report.version = "0.1.0";
  report.source = "frontier.csv";
  report.points[0].set_version("0.0.9");
  const std::string html = HtmlOf(report);
  for (const char* text : {"<h1>gpt-nano on kjv</h1>", "2026-11-30", "ridgeline 0.1.0", "from frontier.csv",
                           "measured by workers of 0.0.9", "2 on the Pareto frontier", "<p class=\"value\">0.5000</p>",
                           "accuracy × octaves", "below 1 MiB", "class=\"area\"", "50.00 %", "256 KiB"})
    EXPECT_THAT(html, HasSubstr(text));
  report.reference_bytes = 1 << 22;
  EXPECT_THAT(HtmlOf(report), HasSubstr("<p class=\"value\">1.5000</p>"));
  EXPECT_THAT(HtmlOf(report), HasSubstr("below 4 MiB"));
  report.title = "Mine";
  EXPECT_THAT(HtmlOf(report), HasSubstr("<h1>Mine</h1>"));
  EXPECT_THAT(HtmlOf(report), HasSubstr("gpt-nano on kjv"));
}

TEST(FrontierReportTest, NothingIsLoadedAndOnlyItsOwnScriptRuns) {
  const std::string html = HtmlOf(SomeReport());
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  EXPECT_TRUE(std::regex_search(html, std::regex("script-src 'sha256-[A-Za-z0-9+/]{43}='")));
  for (const char* text : {"http:", "https:", "url(", "@import", " src=", "<link", "<base"})
    EXPECT_THAT(html, Not(HasSubstr(text)));
  EXPECT_EQ(Count(html, "<script"), 1u);
}

TEST(FrontierReportTest, TextOfPointsAndJobsIsEscapedWhereverItStands) {
  const std::string hostile = "<script>alert(1)</script>\"&'";
  FrontierReport report = SomeReport();
  for (v1::FrontierPoint& point : report.points) {
    const auto* reflection = point.GetReflection();
    const auto* descriptor = v1::FrontierPoint::descriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
      if (descriptor->field(i)->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING)
        reflection->SetString(&point, descriptor->field(i), hostile);
    }
    SetJoules(&point, 1, "modelled");
  }
  report.points[2].set_cpu(hostile + "2");
  report.points[2].set_threads(2);
  report.points[2].set_decode_tokens_per_second(5);
  report.title = report.source = report.date = report.version = hostile;
  v1::MetricPoint metric;
  metric.set_validation_loss(2);
  report.jobs.emplace();
  (*report.jobs)[hostile] = {{{hostile, hostile}}, {metric}};
  for (const bool with_jobs : {true, false}) {
    if (!with_jobs) report.jobs.reset();
    for (const bool second_set : {false, true}) {
      if (second_set) report.points[0].set_dataset("other " + hostile);
      const std::string html = HtmlOf(report);
      EXPECT_EQ(Count(html, "<script"), 1u);
      EXPECT_EQ(Count(html, "\"&'"), 0u);
      EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&amp;&#39;"));
    }
  }
}

TEST(FrontierReportTest, RecipesAreEscapedToo) {
  FrontierReport report = SomeReport();
  report.jobs.emplace();
  (*report.jobs)["job-large"].recipe = {{"<b>", "1"}};
  (*report.jobs)["job-small"].recipe = {{"<b>", "<i>"}};
  const std::string html = HtmlOf(report);
  EXPECT_THAT(html, Not(HasSubstr("<i>")));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">&lt;b&gt;</th><td>1</td><td>&lt;i&gt;</td>"));
}

TEST(FrontierReportTest, EachModelAndDatasetHasASectionOfItsOwn) {
  FrontierReport report = SomeReport();
  report.points[0].set_dataset("news");
  const std::string html = HtmlOf(report);
  EXPECT_EQ(Count(html, "<section class=\"set\""), 2u);
  EXPECT_THAT(html, HasSubstr("<h2>gpt-nano on kjv</h2>"));
  EXPECT_THAT(html, HasSubstr("<h2>gpt-nano on news</h2>"));
  EXPECT_THAT(html, HasSubstr("<a href=\"#set-1\">gpt-nano on news</a>"));
}

TEST(FrontierReportTest, ThePointsOfAReportAreJoinedWithTheirRows) {
  const std::string html = HtmlOf(SomeReport());
  for (const char* id : {"0-0", "0-1", "0-2"}) {
    const std::string mark = std::string("data-p=\"") + id + "\"";
    EXPECT_THAT(html, HasSubstr("<tr " + mark));
    EXPECT_GE(Count(html, "<g class=\"pt e1 pareto\" " + mark) + Count(html, "<g class=\"pt e1\" " + mark), 2u);
  }
  EXPECT_EQ(Count(Between(html, "<tbody>", "</tbody>"), "★"), 2u);
}

TEST(FrontierReportTest, TheEnergyAxisNamesItsSourceAndShowsAModelsBand) {
  FrontierReport report = SomeReport();
  EXPECT_THAT(HtmlOf(report), HasSubstr("Energy proxy: bit operations per token, log scale"));
  for (v1::FrontierPoint& point : report.points) {
    SetJoules(&point, 0.002, "modelled");
    point.set_energy_low_joules_per_token(0.001);
    point.set_energy_high_joules_per_token(0.004);
  }
  const std::string modelled = HtmlOf(report);
  EXPECT_THAT(modelled, HasSubstr("Energy: modelled J per token, log scale"));
  EXPECT_EQ(Count(modelled, "class=\"band\""), 9u);  // A bar with two ends for each of three points.
  EXPECT_THAT(modelled, HasSubstr("1.000 – 4.000"));
  report.points[1].set_energy_source("rapl");  // Neither axis nor Pareto set may mix them.
  const std::string mixed = HtmlOf(report);
  EXPECT_THAT(mixed, HasSubstr("Energy proxy: bit operations per token"));
  EXPECT_THAT(mixed, Not(HasSubstr("J per token, log scale")));
  EXPECT_EQ(Count(mixed, "class=\"band\""), 0u);
  for (v1::FrontierPoint& point : report.points) point.set_energy_source("rapl");
  EXPECT_THAT(HtmlOf(report), HasSubstr("Energy: measured (rapl) J per token"));
}

TEST(FrontierReportTest, ColumnsThatNobodyMeasuredAreLeftOutAndWhatIsAlikeIsSaidOnce) {
  FrontierReport report = SomeReport();
  const std::string html = HtmlOf(report);
  for (const char* title : {"Decode", "Prefill", "Second loss", "Energy source", "Above idle", "SHA-256"})
    EXPECT_THAT(html, Not(HasSubstr(std::string(title) + "</button>"))) << title;
  EXPECT_THAT(html, Not(HasSubstr("Decoding speed")));
  EXPECT_THAT(html, HasSubstr("<b>Steps</b> 12\u202F500"));
  report.points[0].set_decode_tokens_per_second(12.5);
  report.points[0].set_steps(7);
  const std::string more = HtmlOf(report);
  EXPECT_THAT(more, HasSubstr("Decode <small>tokens/s</small>"));
  EXPECT_THAT(more, HasSubstr("Decoding speed"));
  EXPECT_THAT(more, HasSubstr("Steps</button>"));
}

TEST(FrontierReportTest, RecipesShowOnlyWhatDiffersAndWhoseJobIsGone) {
  FrontierReport report = SomeReport();
  report.jobs.emplace();
  EXPECT_THAT(HtmlOf(report), HasSubstr("no longer has the jobs of 3 of the 3 points"));
  (*report.jobs)["job-large"].recipe = {{"name", "large"}, {"optimizer.lr", "0.1"}, {"training.seed", "1"}};
  (*report.jobs)["job-small"].recipe = {{"name", "small"}, {"optimizer.lr", "0.2"}, {"training.seed", "1"}};
  const std::string html = HtmlOf(report);
  EXPECT_THAT(html,
              HasSubstr("<th scope=\"row\">optimizer.lr</th><td>0.1</td><td>0.2</td><td class=\"gone\">gone</td>"));
  EXPECT_THAT(html, Not(HasSubstr("training.seed")));
  EXPECT_THAT(html, HasSubstr("no longer has the jobs of 1 of the 3 points"));
  report.jobs.reset();
  EXPECT_THAT(HtmlOf(report), HasSubstr("made of a file"));
}

TEST(FrontierReportTest, LossCurvesAreDrawnWhereJobsWereValidated) {
  FrontierReport report = SomeReport();
  EXPECT_THAT(HtmlOf(report), Not(HasSubstr("Held-out loss over training")));
  report.jobs.emplace();
  for (int step : {0, 50, 100}) {
    v1::MetricPoint point;
    point.set_step(step);
    point.set_validation_loss(step == 0 ? 100 : 3);
    (*report.jobs)["job-large"].curve.push_back(point);
    point.clear_validation_loss();
    point.set_train_loss(3);
    (*report.jobs)["job-small"].curve.push_back(point);
  }
  const std::string html = HtmlOf(report);
  EXPECT_THAT(html, HasSubstr("Held-out loss over training"));
  EXPECT_THAT(html, Not(HasSubstr("second kind of text")));
  EXPECT_EQ(Count(html, "class=\"curve\""), 1u);
  EXPECT_THAT(html, HasSubstr("the first losses lie above the frame"));
  (*report.jobs)["job-small"].curve.back().set_second_loss(4);
  EXPECT_THAT(HtmlOf(report), HasSubstr("Loss on the second kind of text"));
}

TEST(FrontierReportTest, OddPointsAreShownAndDoNotSpoilThePlots) {
  FrontierReport report;
  EXPECT_EQ(FrontierReportHtml(report).status().code(), absl::StatusCode::kFailedPrecondition);
  v1::FrontierPoint bare;
  bare.set_job_id("job-9");
  report.points = {bare};
  EXPECT_THAT(HtmlOf(report), HasSubstr("there is nothing to plot"));
  auto free = Point("free", 0.5, 0), unknown = Point("unknown", std::nan(""), 10), strange = Point("strange", 1, 1e17);
  SetJoules(&free, 0, "modelled");
  strange.set_energy_joules_per_token(INFINITY);
  strange.set_decode_tokens_per_second(0);
  report.points = {free, unknown, strange, bare, Point("", 0.5, 100)};
  report.points.back().set_job_id("job-1");
  const std::string html = HtmlOf(report);
  for (const char* text : {"nan", "inf", "-nan"})
    EXPECT_FALSE(std::regex_search(html, std::regex(std::string("[\"> ,]") + text + "[\"< ,]"))) << text;
  EXPECT_THAT(html, HasSubstr("strange"));
}

TEST(RecipeDifferencesTest, AreTheKeysWhoseValuesDiffer) {
  const auto differences = RecipeDifferences(
      {{{"name", "a"}, {"same", "1"}, {"lr", "1"}, {"only", "x"}}, {{"name", "b"}, {"same", "1"}, {"lr", "2"}}});
  EXPECT_THAT(differences, testing::ElementsAre(std::pair("lr", std::vector<std::string>{"1", "2"}),
                                                std::pair("only", std::vector<std::string>{"x", ""})));
  EXPECT_THAT(RecipeDifferences({}), testing::IsEmpty());
}

TEST(HtmlTest, MarksBecomeEntitiesAndWhatCannotBeShownAQuestionMark) {
  EXPECT_EQ(Html("<a href=\"x\">&'</a>"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(Html("\xE2\x80\xAE\xFF\x01é"), "???é");
}

TEST(LinearAxisTest, HasRoundTicksInside) {
  const auto texts = [](double low, double high) {
    std::string all;
    for (const AxisTick& tick : LinearAxis(low, high).ticks) all += tick.text + "|";
    return all;
  };
  EXPECT_EQ(texts(0, 400), "0|100|200|300|400|");
  EXPECT_EQ(texts(2.2765, 2.4675), "2.30|2.35|2.40|2.45|");
  EXPECT_EQ(texts(0, 20'000), "0|5000|10000|15000|20000|");
  EXPECT_EQ(texts(-1, 1), "-1.0|-0.5|0.0|0.5|1.0|");
}

}  // namespace
}  // namespace ridgeline
