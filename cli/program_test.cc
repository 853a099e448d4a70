// SPDX-License-Identifier: Apache-2.0
// The real program without a coordinator: usage, recipes, exit codes, and what goes to which output.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "cli/program_runner.h"
#include "device/build.h"
#include "device/fake_host.h"
#include "energy/source.h"

namespace ridgeline {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr char kSweep[] =
    "name: tiny\n"
    "dataset: {path: somewhere}\n"
    "sweep:\n"
    "  method: grid\n"
    "  parameters:\n"
    "    optimizer.lr: [1e-3, 3e-3]\n";

TEST_F(ProgramTest, ValidatePrintsEveryProblemWithItsPlaceAndExits2) {
  const std::string file = Write("bad.yaml", "dataset: {path: x}\ntraining:\n  stps: 5\n  seq_len: -3\n");
  const ProgramResult result = Run("validate -f " + file);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr(file + ":3:3: training.stps"));
  EXPECT_THAT(result.err, HasSubstr("did you mean 'steps'"));
  EXPECT_THAT(result.err, HasSubstr(file + ":4:12: training.seq_len"));
}

TEST_F(ProgramTest, ValidateAcceptsAGoodRecipeAlsoFromStandardInput) {
  const std::string file = Write("good.yaml", kSweep);
  EXPECT_EQ(Run("validate -f " + file).out, file + ": ok, 2 jobs\n");
  EXPECT_EQ(Run("validate -f - < " + file).out, "-: ok, 2 jobs\n");
}

// Also where the model is not: what formats say holds for rows of any length.
TEST_F(ProgramTest, AGgufThatCodesHaveNoPlaceInIsAProblemOfTheRecipeForEveryVerb) {
  const std::string start =
      "dataset: {path: x}\nmodel: {path: nowhere}\nexport: {weights: gguf}\nquant:\n"
      "  estimator: ste\n  hadamard: false\n";
  const std::string bad = Write("bad.yaml", start + "  weight: {format: fp8_e4m3}\n");
  for (const char* verb : {"validate", "plan", "submit"}) {
    const ProgramResult result = Run(std::string(verb) + " -f " + bad);
    EXPECT_EQ(result.exit_code, 2) << verb;
    EXPECT_THAT(result.out, IsEmpty()) << verb;
    EXPECT_THAT(result.err, StartsWith(bad + ":7:3: quant.weight: export.weights gguf: each layer: fp8_e4m3 linear of "
                                             "ste has no exact image in GGUF: "))
        << verb;
  }
  const std::string good = Write("good.yaml", start + "  weight: {format: int4}\n  embedding: {format: int6}\n");
  EXPECT_EQ(Run("validate -f " + good).out, good + ": ok, 1 job\n");
  EXPECT_THAT(Run("validate -f " + good + " --set quant.embedding.block=16").err,
              HasSubstr(good + ":8:3: quant.embedding: export.weights gguf: the embedding: "));
  EXPECT_THAT(Run("validate -f " + good + " --set quant.weight.block=48").err,
              HasSubstr(good + ":7:3: quant.weight: export.weights gguf: each layer: "));
  const std::string sweep = "sweep: {method: grid, parameters: {quant.weight.format: [int4, fp8_e4m3, fp8_e5m2]}}\n";
  const ProgramResult swept = Run("validate -f " + Write("sweep.yaml", start + sweep));
  EXPECT_EQ(swept.exit_code, 2);
  EXPECT_THAT(swept.err, HasSubstr("quant.weight: in child '"));
  EXPECT_THAT(swept.err, HasSubstr("ridgeline: 2 problems"));
}

TEST_F(ProgramTest, AReportSaysWhereItIsThoughItsFoldersAreNew) {
  const std::string csv =
      Write("points.csv",
            "point_id,job_id,model,dataset,estimator,weight_format,weight_scheme,weight_block,activation_format,"
            "activation_scheme,activation_block,hadamard,sparsity,steps,tokens,seed,loss,accuracy,storage_bytes,"
            "bits_per_element,energy_proxy,energy_joules_per_token,decode_tokens_per_second,pareto\n"
            "point-0,job-1,m,d,none,none,,,none,,,false,dense,5,60,7,2.5,0.25,1000,16,1e6,,,true\n");
  const std::string relative = std::filesystem::relative(dir_ + "/new/folder/page.html").string();
  ASSERT_THAT(relative, Not(StartsWith("/")));
  const ProgramResult result = Run("frontier report --csv " + csv + " --out " + relative);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, dir_ + "/new/folder/page.html\n");
  EXPECT_THAT(Read(dir_ + "/new/folder/page.html"), HasSubstr("<html"));
}

TEST_F(ProgramTest, DoctorSaysWhereJoulesComeFrom) {
  const std::string line = "energy                 " + DescribeEnergySource(FindCounter());
  EXPECT_THAT(line, testing::ContainsRegex("rapl: |modelled: "));
  EXPECT_THAT(Run("doctor").out, HasSubstr(line));
}

// The loader finds the fake by the library's own name.
TEST_F(ProgramTest, DoctorNamesTheGpusThatTheDriverHas) {
  std::filesystem::create_symlink(FAKE_NVML, dir_ + "/libnvidia-ml.so.1");
  test::FakeHost fake(2);
  fake.Set("MIG_1", "0").Set("ENERGY_MJ_0", "1").Set("ENERGY_MJ_1", "1");
  ::setenv("LD_LIBRARY_PATH", dir_.c_str(), 1);
  ::setenv("CUDA_VISIBLE_DEVICES", "0,5", 1);
  const ProgramResult result = Run("doctor");
  ::unsetenv("CUDA_VISIBLE_DEVICES");
  ::unsetenv("LD_LIBRARY_PATH");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("NVIDIA driver          580.65.06, for CUDA up to 13.0\n"));
  EXPECT_THAT(result.out, HasSubstr("GPU 0                  Fake GPU, 80.0 GiB, compute capability 9.0\n"));
  EXPECT_THAT(result.out, HasSubstr("warn  MIG of GPU 1 "));
  EXPECT_THAT(result.out, HasSubstr("fail  CUDA_VISIBLE_DEVICES   CUDA_VISIBLE_DEVICES=0,5: entry 2, '5'"));
}

TEST_F(ProgramTest, UpForGpusWithABuildForCpusStartsNothingAndSaysWhatToBuild) {
  if (BuiltWithCuda()) GTEST_SKIP() << "this build has CUDA";
  const ProgramResult result = Run("up --device cuda --listen 127.0.0.1:0 --metrics 127.0.0.1:0");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("make programs CUDA=1"));
  EXPECT_FALSE(std::filesystem::exists(state_ + "/supervisor.log")) << result.err;
  EXPECT_EQ(Run("up --device gpu").exit_code, 2);
}

TEST_F(ProgramTest, SubmitOfABadRecipeExits2WithoutACoordinator) {
  const std::string file = Write("bad.yaml", "dataset: {path: x}\ntraining: {steps: many}\n");
  const ProgramResult result = Run("submit -f " + file);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr(":2:"));
}

TEST_F(ProgramTest, DryRunPrintsAValidRecipeAndItsJobsAndQueuesNothing) {
  const std::string file = Write("good.yaml", kSweep);
  const ProgramResult result =
      Run("submit -f " + file + " --dry-run --name other --set training.steps=20 --priority 3");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("name: other\n"));
  EXPECT_THAT(result.out, HasSubstr("  steps: 20\n"));
  EXPECT_THAT(result.out, HasSubstr("priority: 3\n"));
  EXPECT_THAT(result.out, HasSubstr("# 2 jobs:\n"));
  EXPECT_EQ(Run("validate -f " + Write("again.yaml", result.out)).exit_code, 0);
}

TEST_F(ProgramTest, ExplainTellsDefaultAndRange) {
  const ProgramResult result = Run("explain training.steps");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("default 500"));
  EXPECT_THAT(Run("explain").out, HasSubstr("optimizer  section"));
  const ProgramResult unknown = Run("explain training.stps");
  EXPECT_EQ(unknown.exit_code, 3);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean 'training.steps'"));
}

TEST_F(ProgramTest, WithoutACoordinatorCallsExit5WithTheRemedy) {
  const std::string recipe = Write("good.yaml", kSweep);
  for (const std::string& verb : {std::string("list"), std::string("status"), std::string("get job-1"),
                                  std::string("worker list"), std::string("frontier export"), "submit -f " + recipe}) {
    const ProgramResult result = Run(verb);
    EXPECT_EQ(result.exit_code, 5) << verb;
    EXPECT_THAT(result.out, IsEmpty()) << verb;
    EXPECT_THAT(result.err, HasSubstr("`ridgeline up`")) << verb;
  }
}

TEST_F(ProgramTest, AnAddressWithoutACoordinatorExits5AndIsNamed) {
  const ProgramResult result = Run("status --coordinator 127.0.0.1:1");
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.err, HasSubstr("127.0.0.1:1"));
}

TEST_F(ProgramTest, UsageErrorsExit2AndSuggestAVerb) {
  EXPECT_THAT(Run("lits").err, HasSubstr("did you mean 'list'"));
  EXPECT_THAT(Run("worker lst").err, HasSubstr("did you mean 'list'"));
  EXPECT_THAT(Run("list -o xml").err, HasSubstr("allowed: table, json, yaml, name"));
  for (const char* line : {"lits", "worker", "worker lst", "list --bogus", "list -o xml", "get", "list -l broken",
                           "list --state runing", "submit", "wait job-1 --for ever", "wait job-1 --timeout soon"}) {
    const ProgramResult result = Run(line);
    EXPECT_EQ(result.exit_code, 2) << line << ": " << result.err;
    EXPECT_THAT(result.out, IsEmpty()) << line;
  }
}

TEST_F(ProgramTest, HelpShowsAnExampleAndNoHiddenVerb) {
  EXPECT_THAT(Run("frontier export --help").out, HasSubstr("Example:\n  "));
  EXPECT_THAT(Run("--help").out, Not(HasSubstr("supervise")));
}

TEST_F(ProgramTest, PlanCountsASweepForEachNumberOfRanksWithoutADataset) {
  const std::string file = Write("sweep.yaml", kSweep);
  const ProgramResult result = Run("plan -f " + file + " --vocab-size 70 --ranks 1,8 --device h100 -o json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  ASSERT_EQ(json["plans"].size(), 4);
  EXPECT_EQ(json["plans"][0]["name"], "tiny/optimizer.lr=1e-3");
  EXPECT_EQ(json["plans"][1]["ranks"], 8);
  EXPECT_EQ(json["plans"][0]["wire_bytes_per_step"], 0);
  EXPECT_EQ(json["plans"][1]["memory_bytes"]["optimizer"], 8 * json["plans"][1]["parameters"]["total"].get<int64_t>());
  EXPECT_EQ(json["plans"][1]["fits"], true);
  EXPECT_GT(json["assumptions"].size(), 3);
  EXPECT_THAT(Run("plan -f " + file + " --vocab-size 70").out, HasSubstr("--gflops"));
}

TEST_F(ProgramTest, PlanOfAnUnknownVocabularyOrABadRecipeExits2WithTheRemedy) {
  const ProgramResult unknown = Run("plan -f " + Write("sweep.yaml", kSweep));
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("--vocab-size"));
  EXPECT_EQ(Run("plan -f " + Write("bad.yaml", "training: {stps: 5}\n")).exit_code, 2);
  EXPECT_EQ(Run("plan -f " + Write("sweep.yaml", kSweep) + " --device h99").exit_code, 2);
}

TEST_F(ProgramTest, DownWithoutAStackIsFine) {
  EXPECT_EQ(Run("down").exit_code, 0);
  EXPECT_EQ(Run("down").exit_code, 0);
}

TEST_F(ProgramTest, DataPrepareWritesADataset) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "In the beginning was the word.\n";
  const std::string file = Write("corpus.txt", text);
  const ProgramResult result = Run("data prepare --text " + file + " --out " + dir_ + "/set --train-fraction 0.8");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("dataset 'corpus', char tokenizer"));
  EXPECT_THAT(result.out, HasSubstr("4960 training and 1240 validation tokens"));
  EXPECT_TRUE(std::filesystem::exists(dir_ + "/set/dataset.json"));
}

TEST_F(ProgramTest, DataPrepareOfAMissingTextExits3AndNamesIt) {
  const ProgramResult result = Run("data prepare --text " + dir_ + "/none.txt --out " + dir_ + "/set");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("none.txt"));
}

TEST_F(ProgramTest, BashCompletionScriptOffersVerbsAndOptions) {
  const ProgramResult result = Run("completion bash");
  const std::string script = Write(
      "complete.sh", result.out +
                         "COMP_WORDS=(ridgeline frontier ex); COMP_CWORD=2; _ridgeline; echo \"${COMPREPLY[*]}\"\n"
                         "COMP_WORDS=(ridgeline submit --req); COMP_CWORD=2; _ridgeline; echo \"${COMPREPLY[*]}\"\n");
  EXPECT_EQ(std::system(("bash " + script + " > " + dir_ + "/words").c_str()), 0);
  EXPECT_EQ(Read(dir_ + "/words"), "export\n--request-id\n");
}

}  // namespace
}  // namespace ridgeline
