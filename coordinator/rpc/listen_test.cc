// SPDX-License-Identifier: Apache-2.0
// Where a coordinator listens, and what it asks for there.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "common/file.h"
#include "coordinator/rpc/test_cluster.h"
#include "net/certificates.h"
#include "net/channel.h"

namespace ridgeline {
namespace {

class ListenTest : public test::ClusterTest {
 protected:
  void SetUp() override {}
  absl::Status Start() {
    server_.reset();
    auto server = CoordinatorServer::Start(options_);
    if (!server.ok()) return server.status();
    server_ = *std::move(server);
    stub_ = v1::Coordinator::NewStub(*MakeChannel(server_->address()));
    return absl::OkStatus();
  }
  void Certify() {
    const KeyAndCertificate ca = *MakeAuthority("CA", 10);
    const KeyAndCertificate issued = *IssueCertificate(ca, {CertificateUse::kServer, "c", {"localhost"}, 5});
    std::filesystem::create_directories(folder_);
    options_.tls = {(folder_ / "c.crt").string(), (folder_ / "c.key").string()};
    ASSERT_TRUE(WriteFileAtomically((folder_ / "ca.crt").string(), ca.certificate).ok());
    ASSERT_TRUE(WriteFileAtomically(options_.tls.cert, issued.certificate).ok());
    ASSERT_TRUE(WriteFileAtomically(options_.tls.key, issued.key).ok());
    chmod(options_.tls.key.c_str(), 0600);
  }
};

TEST_F(ListenTest, BeyondThisMachineOnlyWithTlsOrIfInsecureIsSpelledOut) {
  for (const char* address : {"0.0.0.0:0", "[::]:0", "127.evil.example:0"}) {
    options_.listen = address;
    EXPECT_TRUE(absl::IsInvalidArgument(Start())) << address;
  }
  options_.listen = "127.0.0.1:0";
  options_.metrics = "0.0.0.0:0";
  EXPECT_TRUE(absl::IsInvalidArgument(Start()));
  options_.metrics = "";
  options_.listen = "0.0.0.0:70000";
  options_.insecure = true;
  EXPECT_TRUE(absl::IsInvalidArgument(Start())) << "no port";
}

TEST_F(ListenTest, BeyondThisMachineTokensAreAskedForAndThePortIsTls) {
  ASSERT_NO_FATAL_FAILURE(Certify());
  options_.listen = "0.0.0.0:0";
  ASSERT_TRUE(Start().ok());
  const std::string port = server_->address().substr(server_->address().rfind(':'));
  const auto call = [&](const CallerCredentials& credentials) {
    const auto stub = v1::Coordinator::NewStub(*MakeChannel("localhost" + port, credentials));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(test::kPatienceSeconds));
    v1::Info info;
    return stub->GetInfo(&context, v1::GetInfoRequest(), &info).error_code();
  };
  const std::string ca = (folder_ / "ca.crt").string(), token = (folder_ / "admin.token").string();
  EXPECT_EQ(call({.tls_ca = ca, .token_file = token}), grpc::StatusCode::OK);
  EXPECT_EQ(call({.tls_ca = ca}), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(call({.token_file = token}), grpc::StatusCode::UNAVAILABLE) << "without TLS nobody answers";
}

TEST_F(ListenTest, ThisMachineNeedsNoTokensUnlessTheyAreAskedFor) {
  ASSERT_TRUE(Start().ok());
  v1::Info info;
  EXPECT_TRUE(Call(&v1::Coordinator::Stub::GetInfo, v1::GetInfoRequest(), &info).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "admin.token"));
  EXPECT_EQ(SubmitJob(test::MakeRecipe("a")).owner(), "local");
}

}  // namespace
}  // namespace ridgeline
