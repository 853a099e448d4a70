// SPDX-License-Identifier: Apache-2.0
// Whole attempts with what a recipe can add to plain training: micro-batches, a teacher, a second text, sparsity
// schedules, and the model that a finished job leaves.
#include <cmath>
#include <nlohmann/json.hpp>

#include "comm/threads/thread_communicator.h"
#include "common/artifact_files.h"
#include "common/file.h"
#include "common/host.h"
#include "common/sha256.h"
#include "data/load_tokenizer_from.h"
#include "fmt/format.h"
#include "model/load_model.h"
#include "model/small_gemma.h"
#include "model/training_pass.h"
#include "worker/train/attempt_test.h"
#include "worker/train/evaluate.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

const std::vector<RecipeOverride> kUnquantized = {
    {"quant.estimator", "none"}, {"quant.weight.format", "none"}, {"quant.activation.format", "none"}};

std::vector<RecipeOverride> operator+(std::vector<RecipeOverride> a, const std::vector<RecipeOverride>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

class TrainerFeaturesTest : public AttemptTest {
 protected:
  // An attempt that must end well.
  RunResult Finish(const v1::Assign& assignment, int ranks, Recorder& recorder) const {
    absl::StatusOr<RunResult> result = Run(assignment, ranks, recorder);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : RunResult{};
  }

  // The folder of the model that a finished job has left.
  std::string ModelOf(const RunResult& result) const {
    EXPECT_EQ(result.artifacts.size(), 1u);
    return (folder_ / "work" / result.artifacts.at(0).path()).string();
  }

  // What a model scores on the held-out text, by itself. Nats a token; NaN if it cannot be scored.
  double HeldOutLoss(LanguageModel* model) const {
    const auto dataset = Dataset::Open((folder_ / "data").string()).value();
    const auto alone = MakeSingleCommunicator();
    const auto share = ScoreShare(model, dataset->validation(), {.seq_len = 32}, 12, *alone);
    EXPECT_TRUE(share.ok()) << share.status();
    return share.ok() ? share->loss / share->tokens : std::nan("");
  }
};

TEST_F(TrainerFeaturesTest, MicroBatchesGiveTheNumbersOfOneWholeBatch) {
  Recorder whole;
  Finish(Assignment(kUnquantized), 1, whole);
  for (const auto& [local, ranks] : {std::pair{"1", 1}, {"2", 1}, {"4", 1}, {"2", 2}}) {
    Recorder parts;
    Finish(Assignment(kUnquantized + std::vector<RecipeOverride>{{"training.local_batch_size", local}}), ranks, parts);
    const std::vector<double> expected = whole.TrainLosses(), losses = parts.TrainLosses();
    ASSERT_EQ(losses.size(), expected.size());
    for (size_t i = 0; i < losses.size(); ++i)
      EXPECT_NEAR(losses[i] / expected[i], 1, 1e-3) << local << " at once on " << ranks << " ranks, step " << i;
  }
}

// A student that begins as its teacher differs from it by its quantizers alone: training on the divergence lowers it.
TEST_F(TrainerFeaturesTest, DistillationBringsTheStudentToItsTeacher) {
  Recorder first;
  const std::string teacher = ModelOf(
      Finish(Assignment(kUnquantized + std::vector<RecipeOverride>{{"export.weights", "safetensors"}}), 1, first));
  fs::rename(teacher, folder_ / "teacher");  // The next first attempt of a job of that name clears its folder.
  for (int ranks : {1, 2}) {
    v1::Assign assignment = Assignment({{"training.distill.weight", "1"}, {"training.distill.temperature", "2"}});
    assignment.mutable_recipe()->mutable_model()->Clear();
    assignment.mutable_recipe()->mutable_model()->set_path((folder_ / "teacher").string());
    Recorder recorder;
    Finish(assignment, ranks, recorder);
    std::vector<double> divergences;
    for (const v1::MetricPoint& point : recorder.points)
      if (point.has_distill_divergence()) divergences.push_back(point.distill_divergence());
    ASSERT_EQ(divergences.size(), 20u);
    EXPECT_GT(divergences.front(), 0);
    EXPECT_LT(divergences.back(), 0.8 * divergences.front());
    for (const v1::MetricPoint& point : first.points) EXPECT_FALSE(point.has_distill_divergence());
  }
}

TEST_F(TrainerFeaturesTest, ASecondTextIsScoredAtEachEvaluationAndStandsInThePoint) {
  std::string other;
  for (int i = 0; i < 400; ++i) other += "lazy dogs jump over " + std::to_string(i) + " quick brown foxes number\n";
  // One alphabet for both.
  const std::string alphabet = "abcdefghijklmnopqrstuvwxyz0123456789 \n";
  std::string text = alphabet;
  for (int i = 0; i < 400; ++i) text += Sentence(i);
  const std::string first = Prepare("first", text), second = Prepare("second", alphabet + other);
  Recorder recorder;
  const RunResult result =
      Finish(Assignment({{"dataset.path", first}, {"validation.second_path", second}}), 2, recorder);
  int evaluations = 0;
  double last = 0;
  for (const v1::MetricPoint& point : recorder.points) {
    EXPECT_EQ(point.has_validation_loss(), point.has_second_loss());
    if (!point.has_second_loss()) continue;
    ++evaluations;
    last = point.second_loss();
    EXPECT_NE(point.second_loss(), point.validation_loss());
  }
  EXPECT_EQ(evaluations, 2);
  EXPECT_EQ(result.point->second_loss(), last);
  Recorder refused;
  const std::string capitals = Prepare("capitals", "ABC" + alphabet + other);
  EXPECT_EQ(Run(Assignment({{"validation.second_path", capitals}}), 1, refused).status().code(),
            absl::StatusCode::kInvalidArgument)
      << "another alphabet";
}

// How many weights are kept in the fullest group of m, over all pruned matrices of a model folder.
int FullestGroup(const std::string& folder, int64_t m) {
  const auto model = LoadModel(folder, {}).value();
  int64_t most = 0;
  for (const std::string& name : model->LinearNames())
    for (const Parameter& parameter : model->parameters())
      if (parameter.name == name)
        most = std::max(most, parameter.master.view({-1, m}).ne(0).sum(1).max().item<int64_t>());
  return static_cast<int>(most);
}

TEST_F(TrainerFeaturesTest, ASparsityScheduleEndsAtItsPatternWhereverItEnds) {
  for (const char* schedule : {"constant", "linear", "cubic"})
    for (const auto& [pattern, kept, group] : {std::tuple{"2:4", 2, 4}, {"1:4", 1, 4}, {"2:8", 2, 8}})
      for (int reached : {1, 10, 19, 20}) {
        if (schedule == std::string("constant") && reached != 20) continue;
        SCOPED_TRACE(fmt::format("{} {} at step {}", pattern, schedule, reached));
        std::vector<RecipeOverride> changes = {{"sparsity.pattern", pattern},
                                               {"sparsity.schedule", schedule},
                                               {"checkpoint.interval", "20"},
                                               {"export.weights", "safetensors"}};
        if (schedule != std::string("constant"))
          changes.push_back({"sparsity.schedule_steps", std::to_string(reached)});
        v1::Assign assignment = Assignment(kUnquantized + changes);
        Recorder undisturbed, resumed;
        const RunResult result = Finish(assignment, 1, undisturbed);
        EXPECT_EQ(result.point->sparsity(), pattern);
        EXPECT_EQ(FullestGroup(ModelOf(result), group), kept);
        ASSERT_EQ(undisturbed.last_checkpoint.step(), 20);
        assignment.set_epoch(2);
        *assignment.mutable_resume_from() = undisturbed.last_checkpoint;
        EXPECT_EQ(Finish(assignment, 1, resumed).point->loss(), result.point->loss());
      }
}

TEST_F(TrainerFeaturesTest, ARunResumedWithinASparsityScheduleEqualsAnUndisturbedOne) {
  v1::Assign assignment = Assignment({{"sparsity.pattern", "1:4"},
                                      {"sparsity.schedule", "cubic"},
                                      {"sparsity.schedule_steps", "20"},
                                      {"quant.weight.scheme", "linear"}});
  Recorder whole, before, after;
  const RunResult undisturbed = Finish(assignment, 2, whole);
  before.stops_after_checkpoint = true;
  before.stop_with = StopRequest::kCancel;
  ASSERT_EQ(Run(assignment, 2, before)->outcome, v1::STOPPED);
  assignment.set_epoch(2);
  *assignment.mutable_resume_from() = before.last_checkpoint;
  EXPECT_EQ(Finish(assignment, 2, after).point->loss(), undisturbed.point->loss());
}

TEST_F(TrainerFeaturesTest, WithoutAFrontierAJobLeavesNoPoint) {
  Recorder recorder;
  const RunResult result = Finish(Assignment({{"export.frontier", "false"}}), 1, recorder);
  EXPECT_FALSE(result.point.has_value());
  EXPECT_TRUE(result.artifacts.empty());
}

// Weights alone are quantized, so that the folder computes what the run did.
TEST_F(TrainerFeaturesTest, TheModelThatAJobLeavesScoresWhatTheJobScored) {
  for (const char* estimator : {"ridge", "quest", "ridge_trust", "lsq", "diffq", "gaussws"})
    for (int ranks : {1, 2}) {
      SCOPED_TRACE(fmt::format("{} on {} ranks", estimator, ranks));
      Recorder recorder;
      const RunResult result = Finish(Assignment({{"quant.estimator", estimator},
                                                  {"quant.weight.format", "int4"},
                                                  {"quant.activation.format", "none"},
                                                  {"export.weights", "safetensors"}}),
                                      ranks, recorder);
      const std::string folder = ModelOf(result);
      const auto model = LoadModel(folder, {}).value();
      EXPECT_NEAR(HeldOutLoss(model.get()), result.point->loss(), 1e-5);
    }
}

TEST_F(TrainerFeaturesTest, APackedModelScoresWhatTrainingEndedWithButForSixteenBitsOfTheRest) {
  constexpr double kOfRounding = 2e-3;  // Nats: embeddings and norms go to bfloat16.
  for (const char* embedding : {"none", "int8"}) {
    Recorder trained, packed;
    const std::vector<RecipeOverride> changes = {
        {"quant.weight.format", "int2"}, {"quant.activation.format", "int4"}, {"quant.embedding.format", embedding}};
    const RunResult before = Finish(Assignment(changes), 1, trained);
    const RunResult after =
        Finish(Assignment(changes + std::vector<RecipeOverride>{{"export.weights", "packed"}}), 1, packed);
    EXPECT_NEAR(after.point->loss(), before.point->loss(), kOfRounding) << embedding;
    EXPECT_EQ(before.point->artifact_sha256(), "");
    EXPECT_FALSE(before.point->has_decode_tokens_per_second());
  }
}

TEST_F(TrainerFeaturesTest, APointOfAPackedModelSaysHowFastItRunsAndOnWhat) {
  Recorder recorder;
  const RunResult result =
      Finish(Assignment({{"export.weights", "packed"}, {"quant.embedding.format", "int8"}}), 2, recorder);
  EXPECT_GT(result.point->prefill_tokens_per_second(), 0);
  EXPECT_GT(result.point->decode_tokens_per_second(), 0);
  EXPECT_EQ(result.point->cpu(), CpuName());
  EXPECT_GE(result.point->threads(), 1);
  EXPECT_EQ(result.point->embedding_format(), "int8");
  ASSERT_GT(result.point->energy_joules_per_token(), 0);
  if (result.point->energy_source() != "modelled") return;  // A machine that counts has no band.
  EXPECT_LT(result.point->energy_low_joules_per_token(), result.point->energy_joules_per_token());
  EXPECT_GT(result.point->energy_high_joules_per_token(), result.point->energy_joules_per_token());
}

// With inputs quantized as in the run, on any number of ranks.
TEST_F(TrainerFeaturesTest, APackedModelScoresWhatItsPointStatesAndHasTheBytes) {
  using Changes = std::vector<RecipeOverride>;
  const std::vector<Changes> recipes = {
      {{"quant.estimator", "ridge"}, {"quant.weight.format", "int4"}, {"quant.activation.format", "int4"}},
      {{"quant.estimator", "ste"},
       {"quant.weight.format", "int1"},
       {"quant.weight.scheme", "linear"},
       {"quant.activation.format", "none"},
       {"sparsity.pattern", "1:4"}},
      {{"quant.estimator", "ridge_trust"}, {"quant.weight.format", "ternary"}, {"quant.activation.format", "int8"}},
      {{"quant.estimator", "lsq"}, {"quant.weight.format", "int4"}, {"quant.activation.format", "int8"}},
      {{"quant.estimator", "gaussws"}, {"quant.weight.format", "int4"}, {"quant.activation.format", "none"}},
      {{"quant.estimator", "none"}, {"quant.weight.format", "none"}, {"quant.activation.format", "none"}},
      {{"quant.estimator", "ridge_trust"}, {"quant.weight.format", "int2"}, {"quant.embedding.format", "int6"}}};
  for (const Changes& changes : recipes)
    for (int ranks : {1, 2}) {
      SCOPED_TRACE(fmt::format("{} {} on {} ranks", changes[0].second, changes[1].second, ranks));
      Recorder recorder;
      const RunResult result = Finish(Assignment(changes + Changes{{"export.weights", "packed"}}), ranks, recorder);
      const std::string folder = ModelOf(result);
      const std::string file = folder + "/model.safetensors";
      EXPECT_EQ(result.point->storage_bytes(), static_cast<double>(fs::file_size(file)));
      EXPECT_EQ(result.point->artifact_sha256(), Sha256HexOfFile(file).value());
      const auto model = LoadModelInUse(folder, at::kFloat);
      ASSERT_TRUE(model.ok()) << model.status();
      EXPECT_NEAR(HeldOutLoss(model->get()), result.point->loss(), 1e-5);
    }
}

TEST_F(TrainerFeaturesTest, AGgufHoldsTheCodesThatTheJobEndedWithAndScoresAsItsPointStates) {
  using Changes = std::vector<RecipeOverride>;
  for (const Changes& weight : {Changes{{"quant.weight.format", "int4"}, {"quant.weight.scheme", "affine"}},
                                Changes{{"quant.weight.format", "ternary"}}}) {
    v1::Assign assignment = Assignment(weight + Changes{{"quant.estimator", "ste"},
                                                        {"quant.weight.block", "64"},
                                                        {"quant.activation.format", "none"},
                                                        {"training.steps", "6"},
                                                        {"lr_scheduler.warmup_steps", "2"},
                                                        {"export.weights", "gguf"}});
    v1::Model* path = assignment.mutable_recipe()->mutable_model();
    path->Clear();
    path->set_path(WriteSmallGemma(SmallGemma(/*vocab_size=*/64), (folder_ / "small.gguf").string()));
    Recorder recorder;
    const RunResult result = Finish(assignment, 2, recorder);
    ASSERT_EQ(result.artifacts.size(), 1u);
    ASSERT_EQ(result.artifacts[0].files_size(), 1);
    const std::string file = ModelOf(result) + "/model.gguf";
    EXPECT_EQ(result.point->storage_bytes(), static_cast<double>(fs::file_size(file)));
    const auto model = LoadModel(ModelOf(result), {});
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_NEAR(HeldOutLoss(model->get()), result.point->loss(), 1e-5);
    const auto stored = OpenGguf(file).value();
    EXPECT_NE(stored->Find("blk.0.attn_q.weight")->dtype, Dtype::kF32);
    EXPECT_NE(stored->Find("blk.0.attn_q.weight")->dtype, stored->Find("token_embd.weight")->dtype);
  }
}

TEST_F(TrainerFeaturesTest, AnArtifactIsDescribedAsItLies) {
  Recorder recorder;
  const RunResult result = Finish(Assignment({{"export.weights", "safetensors"}}), 2, recorder);
  const v1::Artifact& artifact = result.artifacts.at(0);
  EXPECT_EQ(artifact.name(), "model");
  EXPECT_EQ(artifact.path(), "jobs/job-1/artifacts/model");
  EXPECT_EQ(artifact.work_dir(), (folder_ / "work").string());
  std::map<std::string, std::string> sha256_of;
  int64_t bytes = 0;
  for (const v1::Artifact::File& file : artifact.files()) {
    const std::string path = ModelOf(result) + "/" + file.name();
    EXPECT_EQ(Sha256HexOfFile(path).value(), file.sha256());
    EXPECT_EQ(static_cast<int64_t>(fs::file_size(path)), file.bytes());
    sha256_of[file.name()] = file.sha256();
    bytes += file.bytes();
  }
  EXPECT_EQ(artifact.bytes(), bytes);
  EXPECT_EQ(artifact.sha256(), Sha256OfFiles(sha256_of));
  EXPECT_EQ(sha256_of.size(), 3u);  // config.json, model.safetensors, dataset.json
  const auto config = nlohmann::json::parse(ReadFile(ModelOf(result) + "/config.json").value());
  EXPECT_EQ(config.at("model_type"), "gpt2");
  EXPECT_EQ(config.at("n_positions"), 32);
}

TEST_F(TrainerFeaturesTest, AStoppedRunLeavesNoArtifact) {
  Recorder recorder;
  recorder.stop_at_step = 13;
  recorder.stop_with = StopRequest::kCancel;
  const RunResult result = Finish(Assignment({{"export.weights", "safetensors"}}), 1, recorder);
  EXPECT_TRUE(result.artifacts.empty());
  EXPECT_FALSE(fs::exists(folder_ / "work" / "jobs" / "job-1" / "artifacts"));
}

}  // namespace
}  // namespace ridgeline
