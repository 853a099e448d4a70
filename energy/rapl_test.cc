// SPDX-License-Identifier: Apache-2.0
// On a made-up powercap tree of files, and on this machine's own where it has one.
#include "energy/rapl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "fmt/format.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Gives up root's rights to read everything for as long as it lives; others have none to give up.
class AsNobody {
 public:
  AsNobody() : was_root_(::geteuid() == 0) { EXPECT_EQ(::seteuid(was_root_ ? 65534 : ::geteuid()), 0); }
  ~AsNobody() { EXPECT_EQ(::seteuid(was_root_ ? 0 : ::geteuid()), 0); }

 private:
  const bool was_root_;
};

// As the kernel lays it out: zones lie in each other, and the class's folder has a link to each of them.
class FakePowercap : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ridgeline-powercap-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    fs::permissions(folder_, fs::perms(0755));
    fs::create_directories(Root());
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Root() const { return folder_ / "class" / "powercap"; }

  fs::path Zone(const std::string& id) const {
    const std::string driver = id.substr(0, id.find(':'));
    fs::path path = folder_ / "devices" / driver;
    for (size_t colon = id.find(':'); colon != std::string::npos;) {
      colon = id.find(':', colon + 1);
      path /= id.substr(0, colon);
    }
    return path;
  }

  void Write(const std::string& id, const std::string& file, const std::string& text) const {
    std::ofstream(Zone(id) / file) << text;
  }

  void AddZone(const std::string& id, const std::string& name, int64_t energy_uj,
               int64_t range_uj = 262143328850) const {
    fs::create_directories(Zone(id));
    fs::create_directory_symlink(Zone(id), fs::path(Root()) / id);
    Write(id, "name", name + "\n");
    Write(id, "max_energy_range_uj", fmt::format("{}\n", range_uj));
    SetEnergy(id, energy_uj);
  }

  void SetEnergy(const std::string& id, int64_t energy_uj) const {
    Write(id, "energy_uj", fmt::format("{}\n", energy_uj));
  }

  std::unique_ptr<EnergyCounter> Open() const {
    absl::StatusOr<std::unique_ptr<EnergyCounter>> counter = OpenRapl({Root()});
    EXPECT_TRUE(counter.ok()) << counter.status();
    return counter.ok() ? *std::move(counter) : nullptr;
  }

  absl::Status OpenStatus() const { return OpenRapl({Root()}).status(); }

  fs::path folder_;
};

std::vector<std::string> NamesOf(const std::vector<EnergyPart>& parts) {
  std::vector<std::string> names;
  for (const EnergyPart& part : parts) names.push_back(part.name);
  return names;
}

TEST_F(FakePowercap, PackagesAndTheirMemoryCountAndNothingThatTheyHold) {
  AddZone("intel-rapl:0", "package-0", 5'000'000);
  AddZone("intel-rapl:0:0", "core", 1);
  AddZone("intel-rapl:0:1", "uncore", 1);
  AddZone("intel-rapl:0:2", "dram", 7'000'000);
  AddZone("intel-rapl:1", "package-1", 0);
  AddZone("intel-rapl:1:0", "dram", 0);
  AddZone("intel-rapl:2", "psys", 1);
  AddZone("intel-rapl:2:0", "dram", 1);
  AddZone("intel-rapl:10", "package-2-die-0", 0);
  AddZone("intel-rapl-mmio:0", "package-0", 1);
  const std::unique_ptr<EnergyCounter> counter = Open();
  ASSERT_NE(counter, nullptr);
  EXPECT_EQ(counter->source(), "rapl");
  EXPECT_EQ(counter->description(), "3 packages + dram of 2");
  EXPECT_THAT(NamesOf(counter->Read().value()),
              testing::ElementsAre("package-0", "package-0 dram", "package-1", "package-1 dram", "package-2-die-0"));
}

TEST_F(FakePowercap, DescriptionSaysWhetherMemoryIsIn) {
  AddZone("intel-rapl:0", "package-0", 0);
  AddZone("intel-rapl:0:0", "core", 0);
  EXPECT_EQ(Open()->description(), "1 package, without dram");
  AddZone("intel-rapl:0:1", "dram", 0);
  EXPECT_EQ(Open()->description(), "1 package + dram");
}

TEST_F(FakePowercap, JoulesAreThoseSinceItWasOpened) {
  AddZone("intel-rapl:0", "package-0", 5'000'000);
  AddZone("intel-rapl:0:0", "dram", 1'000'000);
  const std::unique_ptr<EnergyCounter> counter = Open();
  EXPECT_EQ(counter->Read().value()[0].joules, 0);
  SetEnergy("intel-rapl:0", 7'500'000);
  SetEnergy("intel-rapl:0:0", 1'250'000);
  const std::vector<EnergyPart> parts = counter->Read().value();
  EXPECT_DOUBLE_EQ(parts[0].joules, 2.5);
  EXPECT_DOUBLE_EQ(parts[1].joules, 0.25);
}

TEST_F(FakePowercap, EveryWrapIsUndoneWithTheRangeOfItsOwnDomain) {
  AddZone("intel-rapl:0", "package-0", 900'000, 1'000'000);
  AddZone("intel-rapl:0:0", "dram", 60'000, 65'000);
  const std::unique_ptr<EnergyCounter> counter = Open();
  double before = 0;
  for (const int64_t energy_uj : {100'000, 50'000, 999'999, 0}) {
    SetEnergy("intel-rapl:0", energy_uj);
    const double now = counter->Read().value()[0].joules;
    EXPECT_GT(now, before);
    before = now;
  }
  SetEnergy("intel-rapl:0:0", 5'000);
  const std::vector<EnergyPart> parts = counter->Read().value();
  EXPECT_DOUBLE_EQ(parts[0].joules, 2.1);  // From 0.9 J through three wraps to 0.
  EXPECT_DOUBLE_EQ(parts[1].joules, 0.01);
}

TEST_F(FakePowercap, TheSmallestRangeDecidesHowLongItMayBeUnread) {
  AddZone("intel-rapl:0", "package-0", 0, 262'143'328'850);
  AddZone("intel-rapl:0:0", "dram", 0, 65'712'999'613);
  EXPECT_NEAR(Open()->max_unread_seconds(), 65.7, 0.1);  // 65.7 kJ at 1000 W.
}

TEST_F(FakePowercap, WithoutTheFolderOrItsZonesItSaysSoAndWhatToDo) {
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(OpenStatus().message(), testing::AllOf(HasSubstr(Root()), HasSubstr("modprobe")));
  fs::remove_all(Root());
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(OpenStatus().message(), testing::AllOf(HasSubstr("is not there"), HasSubstr("modprobe")));
}

TEST_F(FakePowercap, PsysAloneIsNoPackage) {
  AddZone("intel-rapl:0", "psys", 0);
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(OpenStatus().message(), HasSubstr("is a package"));
}

TEST_F(FakePowercap, WhatOnlyRootMayReadIsDeniedWithARemedy) {
  AddZone("intel-rapl:0", "package-0", 0);
  fs::permissions(Zone("intel-rapl:0") / "energy_uj", fs::perms(0400));
  if (::geteuid() != 0) fs::permissions(Zone("intel-rapl:0") / "energy_uj", fs::perms::none);
  const AsNobody nobody;
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(OpenStatus().message(), testing::AllOf(HasSubstr("energy_uj"), HasSubstr("docs/energy.md")));
}

TEST_F(FakePowercap, NumbersThatAreNoneAreRefused) {
  AddZone("intel-rapl:0", "package-0", 0);
  const std::unique_ptr<EnergyCounter> counter = Open();
  for (const char* text : {"", "\n", "12x\n", "-1\n", "1.5\n", "262143328851\n", "99999999999999999999999\n"}) {
    Write("intel-rapl:0", "energy_uj", text);
    EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(OpenStatus().message(), HasSubstr("energy_uj")) << text;
    EXPECT_EQ(counter->Read().status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  SetEnergy("intel-rapl:0", 0);
  Write("intel-rapl:0", "max_energy_range_uj", "0\n");  // Nothing can be told of wraps.
  EXPECT_THAT(OpenStatus().message(), HasSubstr("max_energy_range_uj"));
}

TEST_F(FakePowercap, ADomainThatVanishesIsAnErrorAndNotZero) {
  AddZone("intel-rapl:0", "package-0", 0);
  AddZone("intel-rapl:1", "package-1", 0);
  const std::unique_ptr<EnergyCounter> counter = Open();
  ASSERT_TRUE(counter->Read().ok());
  fs::remove_all(Zone("intel-rapl:1"));
  const absl::Status status = counter->Read().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), testing::AllOf(HasSubstr("intel-rapl:1"), HasSubstr("vanished")));
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kFailedPrecondition);  // Its link is still there.
}

TEST(RealPowercap, ThisMachinesPackagesDrawPower) {
  const absl::StatusOr<std::unique_ptr<EnergyCounter>> counter = OpenRapl();
  if (!counter.ok()) GTEST_SKIP() << counter.status();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_GT((*counter)->Read().value()[0].joules, 0);
}

}  // namespace
}  // namespace ridgeline
