// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/doctor_gpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/build.h"

namespace ridgeline {
namespace {

using testing::AllOf;
using testing::HasSubstr;

WholeGpu MakeGpu(int number) {
  WholeGpu whole;
  whole.gpu = {"GPU-" + std::to_string(number), "NVIDIA H200", int64_t{140} << 30, "9.0", false};
  return whole;
}

HostGpus MakeHost(int gpus) {
  HostGpus host{.driver_version = "580.65.06", .cuda_version = 13000};
  for (int number = 0; number < gpus; ++number) host.gpus.push_back(MakeGpu(number));
  return host;
}

Finding Find(const std::vector<Finding>& findings, const std::string& what) {
  for (const Finding& finding : findings)
    if (finding.what == what) return finding;
  return {Level::kFail, what, "there is no such line", ""};
}

TEST(DoctorGpusTest, AMachineWithoutADriverLacksNothingUnlessTheBuildIsForGpus) {
  const absl::StatusOr<HostGpus> none = absl::NotFoundError("no NVIDIA driver: install it");
  EXPECT_EQ(Find(GpuFindings(none, {}, false), "NVIDIA driver").level, Level::kOk);
  EXPECT_EQ(Find(GpuFindings(none, {}, false), "CUDA").level, Level::kOk);
  EXPECT_EQ(Find(GpuFindings(none, {}, true), "NVIDIA driver").level, Level::kWarn);
  const absl::StatusOr<HostGpus> half = absl::FailedPreconditionError("its library is missing; install it");
  EXPECT_EQ(Find(GpuFindings(half, {}, false), "NVIDIA driver").level, Level::kWarn);
  EXPECT_EQ(Find(GpuFindings(half, {}, false), "NVIDIA driver").detail, "its library is missing; install it");
}

TEST(DoctorGpusTest, GpusAreNamedAndABuildForCpusIsToldBesideThem) {
  const std::vector<Finding> findings = GpuFindings(MakeHost(2), {}, false);
  EXPECT_EQ(Find(findings, "GPU 1").detail, "NVIDIA H200, 140.0 GiB, compute capability 9.0");
  EXPECT_EQ(Find(findings, "NVIDIA driver").detail, "580.65.06, for CUDA up to 13.0");
  EXPECT_EQ(Find(findings, "CUDA_VISIBLE_DEVICES").detail, "not set: at most 2 ranks on GPUs here");
  EXPECT_EQ(Find(findings, "CUDA").level, Level::kWarn);
  EXPECT_THAT(Find(findings, "CUDA").remedy, HasSubstr("CUDA=1"));
  EXPECT_EQ(Find(GpuFindings(MakeHost(2), {}, true), "CUDA").level, Level::kOk);
}

TEST(DoctorGpusTest, ADriverThatIsTooOldForTheBuildIsAWarning) {
  HostGpus host = MakeHost(1);
  host.cuda_version = 12080;
  EXPECT_EQ(Find(GpuFindings(host, {}, false), "NVIDIA driver").level, Level::kOk);
  const Finding finding = Find(GpuFindings(host, {}, true), "NVIDIA driver");
  EXPECT_EQ(finding.level, Level::kWarn);
  EXPECT_THAT(finding.detail, HasSubstr("up to 12.8"));
  EXPECT_THAT(finding.remedy, HasSubstr("13.0"));
}

TEST(DoctorGpusTest, MigWithoutAnInstanceSaysHowToMakeOne) {
  HostGpus host = MakeHost(2);
  host.gpus[1].is_mig = true;
  const Finding empty = Find(GpuFindings(host, {}, true), "MIG of GPU 1");
  EXPECT_EQ(empty.level, Level::kWarn);
  EXPECT_THAT(empty.remedy, AllOf(HasSubstr("mig -i 1 -cgi"), HasSubstr("-i 1 -mig 0")));
  host.gpus[1].instances = {{"MIG-a", "NVIDIA H200 MIG 1g.18gb", int64_t{16} << 30, "9.0", true}};
  const Finding full = Find(GpuFindings(host, {}, true), "MIG of GPU 1");
  EXPECT_EQ(full.level, Level::kOk);
  EXPECT_EQ(full.detail, "MIG-a (16.0 GiB)");
}

TEST(DoctorGpusTest, VisibleDevicesThatAreNotThereFailAndNoneIsAWarning) {
  const Finding wrong = Find(GpuFindings(MakeHost(1), {"3", ""}, true), "CUDA_VISIBLE_DEVICES");
  EXPECT_EQ(wrong.level, Level::kFail);
  EXPECT_THAT(wrong.detail, HasSubstr("entry 1, '3'"));
  const Finding none = Find(GpuFindings(MakeHost(1), {"", ""}, true), "CUDA_VISIBLE_DEVICES");
  EXPECT_EQ(none.level, Level::kWarn);
  EXPECT_THAT(none.remedy, HasSubstr("unset it"));
  EXPECT_EQ(Find(GpuFindings(MakeHost(1), {"GPU-0", ""}, true), "CUDA_VISIBLE_DEVICES").level, Level::kOk);
  EXPECT_EQ(Find(GpuFindings(MakeHost(0), {}, true), "GPUs").level, Level::kWarn);
}

}  // namespace
}  // namespace ridgeline
