// SPDX-License-Identifier: Apache-2.0
// Checkpoints of whole attempts: written by all ranks while training goes on, and resumed at other numbers of them.
#include <set>

#include "fmt/format.h"
#include "quant/autograd/torch_pch.h"
#include "worker/checkpoint/store/checkpoint_folders.h"
#include "worker/train/attempt_test.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

// Gradients of ranks are summed in another order than within one rank.
constexpr double kSumOrderTolerance = 1e-5;

class TrainerCheckpointTest : public AttemptTest {
 protected:
  fs::path Root() const { return folder_ / "work" / "jobs" / "job-1" / "checkpoints"; }
  std::set<std::string> Names() const {
    std::set<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(Root())) names.insert(entry.path().filename());
    return names;
  }
};

TEST_F(TrainerCheckpointTest, EveryRankWritesAFileAndAllTogetherAreTheState) {
  Recorder recorder;
  ASSERT_TRUE(Run(Assignment(), 3, recorder).ok());
  EXPECT_EQ(Names(), (std::set<std::string>{"step-00000008", "step-00000016"}));
  const std::string folder = (Root() / "step-00000016").string();
  const CheckpointManifest manifest = ReadManifest(folder).value();
  EXPECT_EQ(manifest.ranks, 3);
  ASSERT_EQ(manifest.files.size(), 3u);
  EXPECT_TRUE(VerifyCheckpoint(folder, manifest).ok());
  for (size_t file = 1; file < 3; ++file)
    EXPECT_NEAR(static_cast<double>(manifest.files[file].bytes), static_cast<double>(manifest.files[0].bytes),
                0.2 * static_cast<double>(manifest.files[0].bytes));
  EXPECT_EQ(recorder.last_checkpoint.step(), 16);
  EXPECT_EQ(recorder.last_checkpoint.path(), "jobs/job-1/checkpoints/step-00000016");
  EXPECT_EQ(recorder.last_checkpoint.bytes(), DescribeCheckpoint(folder).value().bytes());
}

TEST_F(TrainerCheckpointTest, FourRanksCheckpointResumesAtAnyNumberOfRanksWithTheSameNextLosses) {
  // Without quantizers, whose steps make much of a sum's last bit.
  const v1::Assign first =
      Assignment({{"quant.estimator", "none"}, {"quant.weight.format", "none"}, {"quant.activation.format", "none"}});
  Recorder whole;
  ASSERT_TRUE(Run(first, 4, whole).ok());
  fs::remove_all(Root() / "step-00000016");
  const std::vector<double> expected = whole.TrainLosses();
  for (int ranks : {3, 2, 1}) {
    SCOPED_TRACE(ranks);
    v1::Assign again = first;
    again.set_epoch(2);
    again.mutable_resume_from()->set_step(8);
    Recorder resumed;
    ASSERT_TRUE(Run(again, ranks, resumed).ok());
    const std::vector<double> losses = resumed.TrainLosses();
    ASSERT_EQ(losses.size(), 12u);
    for (size_t i = 0; i < losses.size(); ++i)
      EXPECT_NEAR(losses[i], expected[8 + i], kSumOrderTolerance * expected[8 + i]) << "step " << 9 + i;
    fs::remove_all(Root() / "step-00000016");
  }
}

TEST_F(TrainerCheckpointTest, TheBestIsKeptBesideTheNewest) {
  Recorder recorder;
  ASSERT_TRUE(Run(Assignment({{"checkpoint.interval", "2"},
                              {"checkpoint.keep_latest", "1"},
                              {"checkpoint.keep_best", "1"},
                              {"validation.interval", "4"},
                              {"optimizer.lr", "3e-2"}}),
                  2, recorder)
                  .ok());
  int64_t best = 0;
  double lowest = 1e9;
  for (const v1::MetricPoint& point : recorder.points)
    if (point.has_validation_loss() && point.step() < 20 && point.validation_loss() < lowest) {
      lowest = point.validation_loss();
      best = point.step();
    }
  ASSERT_GT(best, 0);
  EXPECT_EQ(Names(), (std::set<std::string>{fmt::format("step-{:08d}", best), "step-00000020"}));
  const CheckpointManifest manifest = ReadManifest((Root() / fmt::format("step-{:08d}", best)).string()).value();
  EXPECT_NEAR(manifest.validation_loss.value(), lowest, 1e-6);
}

TEST_F(TrainerCheckpointTest, OneRankThatCannotWriteEndsTheJobWithItsReasonAndLeavesNothing) {
  v1::Assign assignment = Assignment();
  assignment.set_epoch(2);  // A first attempt would clear the place.
  const std::string unfinished = UnfinishedCheckpoint(Root().string(), 8, 2);
  fs::create_directories(fs::path(unfinished) / CheckpointFileName(1, 2) / "in the way");
  Recorder recorder;
  const absl::Status status = Run(assignment, 2, recorder).status();
  EXPECT_NE(std::string(status.message()).find("rank 1: "), std::string::npos) << status;
  EXPECT_NE(std::string(status.message()).find(CheckpointFileName(1, 2)), std::string::npos) << status;
  EXPECT_EQ(recorder.last_checkpoint.step(), 0);
  EXPECT_TRUE(Names().empty());
}

TEST_F(TrainerCheckpointTest, ACancelledJobLeavesWholeCheckpointsOnly) {
  for (int64_t step : {9, 10, 11, 17}) {  // The write that began before may stand or not.
    Recorder recorder;
    recorder.stop_at_step = step;
    recorder.stop_with = StopRequest::kCancel;
    EXPECT_EQ(Run(Assignment(), 2, recorder)->outcome, v1::STOPPED);
    for (const std::string& folder : CheckpointFolders(Root().string()))
      EXPECT_TRUE(VerifyCheckpoint(folder, ReadManifest(folder).value()).ok());
    if (fs::exists(Root())) {
      EXPECT_EQ(CheckpointFolders(Root().string()).size(), Names().size());
    }
  }
}

}  // namespace
}  // namespace ridgeline
