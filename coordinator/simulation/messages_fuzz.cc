// SPDX-License-Identifier: Apache-2.0
// Fuzz target for every message that clients and worker groups may send: a coordinator with a job on a group takes any
// sequence of them without a crash, and what it promises still holds. The input is a list of messages: a byte for their
// kind, two for their length (the lower one first), and as many bytes. With RIDGELINE_FUZZ a libFuzzer program;
// common/fuzz_replay_test.cc replays the corpus in every build.
#include <spdlog/spdlog.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "coordinator/simulation/simulated_coordinator.h"
#include "coordinator/view/job_reader.h"

namespace ridgeline::simulation {
namespace {

constexpr int kMaxMessages = 64;

struct Sink final : GroupChannel {
  void Send(v1::CoordinatorMessage) override {}
  void Cancel() override {}
};

v1::Recipe SmallRecipe() {
  v1::Recipe recipe;
  recipe.set_name("run");
  recipe.mutable_dataset()->set_path("data");
  recipe.mutable_training()->set_steps(100);
  return recipe;
}

class Target {
 public:
  Target() {
    coordinator_.Start();
    views_ = std::make_unique<JobViews>(&journal(), &coordinator_.store(), &coordinator_.controller());
    reader_ = std::make_unique<JobReader>(&journal(), &coordinator_.store(), &coordinator_.fleet(), views_.get());
    v1::SubmitJobRequest request;
    *request.mutable_recipe() = SmallRecipe();
    coordinator_.actions().Submit(request, LocalPrincipal("")).IgnoreError();
    v1::Hello hello;
    hello.set_group_id("a");
    hello.set_incarnation("a1");
    hello.set_ranks(1);
    coordinator_.fleet().Attach(hello, channel_).IgnoreError();
    Settle();
  }
  ~Target() {
    reader_.reset();
    views_.reset();
    coordinator_.Kill();
  }

  void Take(uint8_t kind, const std::string& bytes) {
    switch (kind % 10) {
      case 0:
        return With<v1::WorkerMessage>(bytes, [&](const auto& message) {
          coordinator_.fleet().Handle({"a", "a1"}, *channel_, message).IgnoreError();
        });
      case 1:
        return With<v1::WorkerMessage>(bytes, [&](const auto& message) {
          coordinator_.fleet().Handle({"b", "b1"}, *channel_, message).IgnoreError();
        });
      case 2:
        return With<v1::Hello>(bytes, [&](const auto& hello) {
          coordinator_.fleet().Attach(hello, std::make_shared<Sink>()).IgnoreError();
        });
      case 3:
        return With<v1::SubmitJobRequest>(bytes, [&](const auto& request) {
          coordinator_.actions().Submit(request, LocalPrincipal("")).IgnoreError();
        });
      case 4:
        return With<v1::CancelJobRequest>(bytes, [&](const auto& request) {
          coordinator_.actions().Cancel(request.job(), LocalPrincipal("")).IgnoreError();
        });
      case 5:
        return With<v1::RetryJobRequest>(bytes, [&](const auto& request) {
          coordinator_.actions().Retry(request.job(), LocalPrincipal("")).IgnoreError();
        });
      case 6:
        return With<v1::ListJobsRequest>(bytes, [&](const auto& request) { reader_->List(request).IgnoreError(); });
      case 7:
        return With<v1::GetMetricsRequest>(bytes,
                                           [&](const auto& request) { reader_->Metrics(request).IgnoreError(); });
      case 8:
        return With<v1::ListPointsRequest>(bytes, [&](const auto& request) { reader_->Points(request).IgnoreError(); });
      default:
        return With<v1::GetJobRequest>(bytes, [&](const auto& request) { reader_->Get(request.job()).IgnoreError(); });
    }
  }

  // What is wrong; else empty.
  std::string Settle() {
    coordinator_.controller().RunOnce();
    coordinator_.CheckInvariants();
    clock_.Advance(100);
    return record_.violations.empty() ? "" : record_.violations[0];
  }

 private:
  // gRPC ends a call whose message is none; nobody sees it.
  template <typename Message, typename Use>
  static void With(const std::string& bytes, Use use) {
    Message message;
    if (message.ParseFromString(bytes)) use(message);
  }
  Journal& journal() { return coordinator_.mutable_journal(); }

  ManualClock clock_;
  MemoryDisk disk_;
  Record record_;
  SimulatedCoordinator coordinator_{&clock_, &disk_, 10'000, &record_};
  std::shared_ptr<Sink> channel_ = std::make_shared<Sink>();
  std::unique_ptr<JobViews> views_;
  std::unique_ptr<JobReader> reader_;
};

std::string TakeAll(std::string_view input) {
  Target target;
  for (int i = 0; i < kMaxMessages && input.size() >= 3; ++i) {
    const auto kind = static_cast<uint8_t>(input[0]);
    const size_t size = static_cast<uint8_t>(input[1]) + 256u * static_cast<uint8_t>(input[2]);
    input.remove_prefix(3);
    const std::string bytes(input.substr(0, size));
    input.remove_prefix(bytes.size());
    target.Take(kind, bytes);
    if (std::string wrong = target.Settle(); !wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace
}  // namespace ridgeline::simulation

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spdlog::set_level(spdlog::level::off);
  const std::string wrong = ridgeline::simulation::TakeAll(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
  }
  return 0;
}
