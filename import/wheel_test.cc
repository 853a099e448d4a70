// SPDX-License-Identifier: Apache-2.0
#include "import/wheel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/file.h"
#include "import/testing_wheel.h"

namespace ridgeline {
namespace {

using testing::HasSubstr;

class WheelTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "ridgeline-wheel-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    wheel_ = folder_ + "/some_package-1.0-py3-none-any.whl";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<std::string> Read(const std::string& member, uint64_t max_bytes = 1 << 20) {
    std::string content;
    const absl::Status read = ReadWheelMember(wheel_, member, max_bytes, [&](std::string_view bytes) {
      content.append(bytes);
      return absl::OkStatus();
    });
    if (!read.ok()) return read;
    return content;
  }

  std::string folder_, wheel_;
};

TEST_F(WheelTest, GivesAMembersContent) {
  WriteTestingWheel(wheel_, {{"p/a.txt", "first"}, {"p/b.bin", std::string(100'000, 'x') + "end"}});
  EXPECT_EQ(Read("p/a.txt").value(), "first");
  EXPECT_EQ(Read("p/b.bin").value(), std::string(100'000, 'x') + "end");
}

TEST_F(WheelTest, NamesWhatIsMissing) {
  EXPECT_EQ(Read("p/a.txt").status().code(), absl::StatusCode::kNotFound);
  WriteTestingWheel(wheel_, {{"p/a.txt", "first"}});
  const absl::Status read = Read("p/z.txt").status();
  EXPECT_EQ(read.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(read.message()), HasSubstr("holds no p/z.txt"));
}

TEST_F(WheelTest, RefusesAMemberThatIsLargerThanItMayBe) {
  WriteTestingWheel(wheel_, {{"p/bomb", std::string(100'000, '\0')}});
  EXPECT_EQ(Read("p/bomb", 99'999).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(Read("p/bomb", 100'000).ok());
}

TEST_F(WheelTest, EveryTruncationIsAnErrorOrTheWholeContent) {
  WriteTestingWheel(wheel_, {{"p/a.txt", "the content"}});
  const std::string bytes = ReadFile(wheel_).value();
  for (size_t size = 0; size < bytes.size(); size += 3) {
    ASSERT_EQ(WriteFileAtomically(wheel_, bytes.substr(0, size)), absl::OkStatus());
    const auto read = Read("p/a.txt");
    if (read.ok()) {
      EXPECT_EQ(*read, "the content") << size;
    }
  }
}

TEST_F(WheelTest, AChangedContentFailsItsChecksum) {
  WriteTestingWheel(wheel_, {{"p/a.txt", "the content"}});
  std::string bytes = ReadFile(wheel_).value();
  bytes[bytes.find("the content")] = 'T';
  ASSERT_EQ(WriteFileAtomically(wheel_, bytes), absl::OkStatus());
  EXPECT_EQ(Read("p/a.txt").status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(WheelTest, FindsTheOneWheelOfAPackage) {
  WriteTestingWheel(wheel_, {{"p/a.txt", "first"}});
  WriteTestingWheel(folder_ + "/some_package_part1-1.0-py3-none-any.whl", {{"p/a.txt", "first"}});
  EXPECT_EQ(FindWheel(folder_, "some_package").value(), wheel_);
  EXPECT_EQ(FindWheel(folder_, "other").status().code(), absl::StatusCode::kNotFound);
  WriteTestingWheel(folder_ + "/some_package-2.0-py3-none-any.whl", {{"p/a.txt", "first"}});
  EXPECT_EQ(FindWheel(folder_, "some_package").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ridgeline
