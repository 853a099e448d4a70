// SPDX-License-Identifier: Apache-2.0
// kill -9 within a step: whoever comes next goes on from the last checkpoint, with the losses that there would have
// been.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <map>
#include <stdexcept>
#include <thread>

#include "tests/gpu/trainings.h"

namespace ridgeline {
namespace {

constexpr int kSteps = 60;
constexpr double kSameLossTolerance = 1e-4;
constexpr auto kLongest = std::chrono::seconds(60);

Changes ToBeKilled(const char* interval) {
  return {{"model.name", "gpt-nano"},
          {"quant.estimator", "none"},
          {"training.steps", std::to_string(kSteps)},
          {"training.global_batch_size", "8"},
          {"training.deterministic", "true"},
          {"checkpoint.interval", interval}};
}

pid_t StartAgain(const std::string& program, const Trainings& trainings) {
  const pid_t child = fork();
  if (child != 0) return child;
  const std::string device = trainings.device().is_cuda ? "cuda" : "cpu", folder = trainings.folder().string();
  execl(program.c_str(), program.c_str(), "to-be-killed", "--device", device.c_str(), "--folder", folder.c_str(),
        static_cast<char*>(nullptr));
  _exit(127);
}

// A whole one: those that are being written have more in their names.
bool HasCheckpoint(const std::filesystem::path& folder) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "work/jobs/job-1/checkpoints", none)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && name.find_first_not_of("0123456789", 5) == std::string::npos) return true;
  }
  return false;
}

// Once there is a checkpoint, and a step after it is under way.
void KillWhenThereIsACheckpoint(pid_t child, const std::filesystem::path& folder) {
  const auto until = std::chrono::steady_clock::now() + kLongest;
  while (!HasCheckpoint(folder)) {
    int status = 0;
    const bool ended = waitpid(child, &status, WNOHANG) == child;
    if (ended) throw std::runtime_error("it ended before it was killed");
    if (std::chrono::steady_clock::now() > until) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
      throw std::runtime_error("no checkpoint came");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

std::map<int64_t, double> ByStep(const std::vector<v1::MetricPoint>& points) {
  std::map<int64_t, double> losses;
  for (const v1::MetricPoint& point : points) losses[point.step()] = point.train_loss();
  return losses;
}

}  // namespace

void TrainToBeKilled(const Trainings& trainings) {
  trainings.Train(trainings.Assignment(ToBeKilled("5")), trainings.device());
}

void CheckKill(const Trainings& trainings, const std::string& program, Checks* checks) {
  checks->Run("kill -9 within a step", [&](nlohmann::ordered_json& figures) {
    KillWhenThereIsACheckpoint(StartAgain(program, trainings), trainings.folder());
    v1::Assign next = trainings.Assignment(ToBeKilled("5"));
    next.set_epoch(2);
    const std::map<int64_t, double> resumed = ByStep(trainings.Train(next, trainings.device()));
    std::filesystem::remove_all(trainings.folder() / "work");
    const std::map<int64_t, double> whole =
        ByStep(trainings.Train(trainings.Assignment(ToBeKilled("0")), trainings.device()));
    if (resumed.empty() || whole.size() != kSteps) throw std::runtime_error("too few steps");
    double apart = 0;
    for (const auto& [step, loss] : resumed) apart = std::max(apart, std::abs(loss - whole.at(step)) / loss);
    figures["resumed_after_step"] = resumed.begin()->first - 1;
    figures["largest_difference"] = apart;
    return resumed.begin()->first > 1 && apart <= kSameLossTolerance;
  });
}

}  // namespace ridgeline
