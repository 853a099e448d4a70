// SPDX-License-Identifier: Apache-2.0
// Runs whose numbers are not finite: at the start, at every step, at some, at the last, and only on held-out text.
#include <cmath>

#include "fmt/format.h"
#include "model/make_model.h"
#include "model/save_model.h"
#include "worker/train/attempt_test.h"

namespace ridgeline {
namespace {

constexpr char kAlarm = 'Z';  // In texts below: the character at which OverflowingAt's model overflows.

class TrainerNonfiniteTest : public AttemptTest {
 protected:
  // A model folder whose weights `change` has changed. Its vocabulary is that of the dataset.
  std::string SaveModel(const std::string& name, const std::string& dataset,
                        const std::function<void(const std::string&, at::Tensor&)>& change) const {
    const GptConfig shape{.n_layers = 2,
                          .dim = 32,
                          .n_heads = 2,
                          .vocab_size = Dataset::Open(dataset).value()->info().vocab_size,
                          .seq_len = 32};
    const auto model = MakeModel(shape, {}, 1).value();
    for (Parameter& parameter : model->parameters()) change(parameter.name, parameter.master);
    const std::string folder = (folder_ / name).string();
    EXPECT_EQ(SaveHuggingFace(*model, {}, {}, {}, folder), absl::OkStatus());
    return folder;
  }

  // Finite weights whose products overflow after each input `alarm` and nowhere else: the alarm's embedding points away
  // from all others along feature 0, where one neuron waits that is shut for them.
  std::string OverflowingAt(char alarm, const std::string& dataset) const {
    const int64_t id = Dataset::Open(dataset).value()->tokenizer().Encode(std::string(1, alarm)).value().at(0);
    return SaveModel("overflows", dataset, [&](const std::string& name, at::Tensor& weight) {
      if (name == "wte.weight") {
        weight.select(1, 0).fill_(-1);
        weight[id][0] = 1;
      }
      if (name.ends_with("0.mlp.fc.weight")) {
        weight[0].zero_();
        weight[0][0] = 1e12;
      }
      if (name.ends_with("0.mlp.proj.weight")) weight.select(1, 0).fill_(1e30);
    });
  }

  v1::Assign From(const std::string& model, const std::string& dataset, int steps,
                  const std::vector<RecipeOverride>& changes = {}) const {
    std::vector<RecipeOverride> all = {{"dataset.path", dataset},           {"training.steps", std::to_string(steps)},
                                       {"training.global_batch_size", "2"}, {"optimizer.lr", "1e-4"},
                                       {"quant.estimator", "none"},         {"quant.weight.format", "none"},
                                       {"quant.activation.format", "none"}};
    all.insert(all.end(), changes.begin(), changes.end());
    v1::Assign assignment = Assignment(all);
    assignment.mutable_recipe()->mutable_model()->Clear();
    assignment.mutable_recipe()->mutable_model()->set_path(model);
    return assignment;
  }

  // Sentences, of which those that `has_alarm` names hold the alarm.
  static std::string Text(int sentences, const std::function<bool(int)>& has_alarm) {
    std::string text;
    for (int i = 0; i < sentences; ++i) text += Sentence(i) + (has_alarm(i) ? std::string(1, kAlarm) : "") + " ";
    return text;
  }

  void ExpectNonfinite(const absl::StatusOr<RunResult>& result, const std::string& part) const {
    ASSERT_FALSE(result.ok()) << result->detail;
    EXPECT_EQ(std::string(result.status().message()).find("NONFINITE: "), 0u) << result.status();
    EXPECT_NE(std::string(result.status().message()).find(part), std::string::npos) << result.status();
  }

  // Whether each step was skipped.
  static std::vector<bool> Skipped(const Recorder& recorder) {
    std::vector<bool> skipped;
    for (const v1::MetricPoint& point : recorder.points)
      if (point.has_lr()) skipped.push_back(point.nonfinite());
    return skipped;
  }
};

TEST_F(TrainerNonfiniteTest, WeightsThatAreNoNumbersFailBeforeTheFirstStepAndSayWhichTensor) {
  const std::string dataset = (folder_ / "data").string();
  for (float bad : {std::nanf(""), INFINITY}) {
    const std::string model = SaveModel("bad", dataset, [&](const std::string& name, at::Tensor& weight) {
      if (name == "h.1.ln_2.bias") weight[3] = bad;
    });
    for (int ranks : {1, 2}) {
      Recorder recorder;
      ExpectNonfinite(Run(From(model, dataset, 3), ranks, recorder), "bad/model.safetensors: 1 of the");
      ExpectNonfinite(Run(From(model, dataset, 3), ranks, recorder), "'transformer.h.1.ln_2.bias'");
      EXPECT_TRUE(Skipped(recorder).empty());
    }
  }
}

TEST_F(TrainerNonfiniteTest, ARunWhoseEveryStepIsSkippedFailsHoweverShortItIs) {
  const std::string dataset = (folder_ / "data").string();
  const std::string model = OverflowingAt(' ', dataset);
  for (int steps : {1, 3, 19, 20, 30}) {
    SCOPED_TRACE(steps);
    Recorder recorder;
    ExpectNonfinite(Run(From(model, dataset, steps), 1, recorder), fmt::format("step {}", std::min(steps, 20)));
    EXPECT_EQ(Skipped(recorder), std::vector<bool>(static_cast<size_t>(std::min(steps, 20)), true));
    for (const v1::MetricPoint& point : recorder.points) EXPECT_FALSE(point.has_validation_loss());
  }
}

TEST_F(TrainerNonfiniteTest, AResumedRunCountsTheSkippedStepsBeforeIt) {
  const std::string dataset = (folder_ / "data").string();
  Recorder before, after;
  v1::Assign assignment = From(OverflowingAt(' ', dataset), dataset, 40);
  before.stop_at_step = 13;
  before.stop_with = StopRequest::kPreempt;
  ASSERT_EQ(Run(assignment, 1, before)->outcome, v1::PREEMPTED);
  assignment.set_epoch(2);
  *assignment.mutable_resume_from() = before.last_checkpoint;
  ExpectNonfinite(Run(assignment, 1, after), "20 steps in a row up to step 20");
}

// Skipped steps between are borne; a run that ends with one fails, and its reason names the last good step.
TEST_F(TrainerNonfiniteTest, ARunThatEndsWithASkippedStepFails) {
  const std::string dataset =
      Prepare("some", Text(400, [](int i) { return (i < 300 && i % 3 == 0); }) + Text(60, [](int) { return false; }));
  const std::string model = OverflowingAt(kAlarm, dataset);
  const std::vector<RecipeOverride> whole_text = {{"validation.sequences", "0"}, {"validation.interval", "0"}};
  Recorder recorder;
  const absl::StatusOr<RunResult> whole = Run(From(model, dataset, 24, whole_text), 1, recorder);
  const std::vector<bool> skipped = Skipped(recorder);
  const int bad = static_cast<int>(std::find(skipped.begin() + 1, skipped.end(), true) - skipped.begin());
  const int good = static_cast<int>(std::find(skipped.begin() + bad, skipped.end(), false) - skipped.begin());
  ASSERT_LT(bad, 24);
  ASSERT_LT(good, 24);
  Recorder ends_badly, ends_well;
  ExpectNonfinite(Run(From(model, dataset, bad + 1, whole_text), 1, ends_badly),
                  fmt::format("ends at step {}", bad + 1));
  const absl::StatusOr<RunResult> result = Run(From(model, dataset, good + 1, whole_text), 1, ends_well);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NE(result->detail.find("of them skipped"), std::string::npos) << result->detail;
}

TEST_F(TrainerNonfiniteTest, AHeldOutLossThatIsNotFiniteFailsTheRun) {
  const std::string dataset = Prepare("held-out", Text(400, [](int i) { return i >= 380; }));
  Recorder recorder;
  const std::vector<RecipeOverride> changes = {{"validation.sequences", "0"}, {"validation.interval", "2"}};
  ExpectNonfinite(Run(From(OverflowingAt(kAlarm, dataset), dataset, 4, changes), 2, recorder), "the held-out text is");
  EXPECT_EQ(Skipped(recorder), std::vector<bool>(4, false));
  for (const v1::MetricPoint& point : recorder.points) EXPECT_FALSE(point.has_validation_loss());
}

TEST_F(TrainerNonfiniteTest, ASecondTextWithoutAFiniteLossFailsTheRun) {
  const std::string dataset = Prepare("first", kAlarm + Text(400, [](int) { return false; }));
  const std::string second = Prepare("second", Text(400, [](int i) { return i >= 380; }));
  Recorder recorder;
  const std::vector<RecipeOverride> changes = {{"validation.sequences", "0"}, {"validation.second_path", second}};
  ExpectNonfinite(Run(From(OverflowingAt(kAlarm, dataset), dataset, 4, changes), 1, recorder), "the second text is");
}

}  // namespace
}  // namespace ridgeline
