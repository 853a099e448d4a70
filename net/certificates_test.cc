// SPDX-License-Identifier: Apache-2.0
#include "net/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>

namespace ridgeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CertificateFilesTest : public testing::Test {
 protected:
  CertificateFilesTest() : folder_(testing::TempDir() + "/ridgeline_certificates_" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~CertificateFilesTest() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& content, mode_t mode = 0600) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << content;
    chmod(path.c_str(), mode);
    return path;
  }
  const std::string folder_;
};

KeyAndCertificate Authority() { return *MakeAuthority("Ridgeline CA", 10); }

TEST(CertificatesTest, ServerCertificateSaysWhatWasAskedFor) {
  const absl::StatusOr<KeyAndCertificate> issued = IssueCertificate(
      Authority(), {CertificateUse::kServer, "coordinator", {"ridge.example", "10.1.2.3", "::1", "*.a.example"}, 5});
  ASSERT_TRUE(issued.ok()) << issued.status();
  const CertificateInfo info = *DescribeCertificate(issued->certificate);
  EXPECT_EQ(info.name, "coordinator");
  EXPECT_THAT(info.hosts, ElementsAre("ridge.example", "10.1.2.3", "::1", "*.a.example"));
  EXPECT_NEAR(static_cast<double>(info.not_after_unix_s - std::time(nullptr)), 5 * 86'400, 60);
  EXPECT_FALSE(info.is_authority);
  EXPECT_THAT(issued->key, HasSubstr("BEGIN PRIVATE KEY"));
}

TEST(CertificatesTest, NoCertificateOutlivesItsAuthority) {
  const KeyAndCertificate authority = Authority();
  const CertificateInfo ca = *DescribeCertificate(authority.certificate);
  EXPECT_TRUE(ca.is_authority);
  const auto issued = IssueCertificate(authority, {CertificateUse::kClient, "ci", {}, 3'650});
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_EQ(DescribeCertificate(issued->certificate)->not_after_unix_s, ca.not_after_unix_s);
}

TEST(CertificatesTest, WhatCannotBeIssuedIsRefused) {
  const KeyAndCertificate authority = Authority();
  const auto refused = [&](const KeyAndCertificate& issuer, const CertificateRequest& request) {
    return IssueCertificate(issuer, request).status().code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused(authority, {CertificateUse::kServer, "s", {}, 5}));
  EXPECT_TRUE(refused(authority, {CertificateUse::kServer, "s", {"a,DNS:evil.example"}, 5}));
  EXPECT_TRUE(refused(authority, {CertificateUse::kServer, "", {"a"}, 5}));
  EXPECT_TRUE(refused(authority, {CertificateUse::kServer, std::string(65, 'a'), {"a"}, 5}));
  EXPECT_TRUE(refused(authority, {CertificateUse::kServer, "s", {"a"}, 0}));
  EXPECT_TRUE(refused({}, {CertificateUse::kServer, "s", {"a"}, 5}));
  EXPECT_TRUE(refused({Authority().key, authority.certificate}, {CertificateUse::kServer, "s", {"a"}, 5}));
  const KeyAndCertificate leaf = *IssueCertificate(authority, {CertificateUse::kServer, "s", {"a"}, 5});
  EXPECT_TRUE(refused(leaf, {CertificateUse::kServer, "s", {"a"}, 5}));
}

TEST_F(CertificateFilesTest, KeyPairIsTakenOnlyIfItFitsAndNobodyElseCanReadTheKey) {
  const KeyAndCertificate authority = Authority();
  const KeyAndCertificate one = *IssueCertificate(authority, {CertificateUse::kServer, "one", {"a"}, 5});
  const KeyAndCertificate two = *IssueCertificate(authority, {CertificateUse::kServer, "two", {"a"}, 5});
  const std::string cert = Write("one.crt", one.certificate, 0644);
  EXPECT_EQ(CheckKeyPair(cert, Write("one.key", one.key))->name, "one");
  EXPECT_EQ(CheckKeyPair(cert, Write("two.key", two.key)).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CheckKeyPair(cert, Write("open.key", one.key, 0644)).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CheckKeyPair(cert, Write("none.key", "no key")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckKeyPair(cert, folder_ + "/missing").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(CheckCertificateFile(Write("none.crt", "no certificate")).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ridgeline
