// SPDX-License-Identifier: Apache-2.0
// Channel and server credentials against each other, over real connections on port 0.
#include "net/channel.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "net/certificates.h"
#include "net/server_credentials.h"
#include "net/tokens.h"

namespace ridgeline {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr auto kPatience = std::chrono::seconds(60);  // Only a failure waits so long.

// Answers every call with the `authorization` that came with it.
class Mirror final : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    const auto found = context->client_metadata().find(kAuthorizationKey);
    const std::string text =
        found == context->client_metadata().end() ? "" : std::string(found->second.data(), found->second.size());
    return new Reactor(text);
  }

 private:
  class Reactor final : public grpc::ServerGenericBidiReactor {
   public:
    explicit Reactor(const std::string& text) {
      const grpc::Slice slice(text);
      answer_ = grpc::ByteBuffer(&slice, 1);
      StartWriteAndFinish(&answer_, grpc::WriteOptions(), grpc::Status::OK);
    }
    void OnDone() override { delete this; }

   private:
    grpc::ByteBuffer answer_;
  };
};

class ChannelTest : public testing::Test {
 protected:
  ChannelTest() : folder_(testing::TempDir() + "/ridgeline_channel_" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
    ca_ = Write("ca.crt", authority_.certificate);
  }
  ~ChannelTest() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    std::filesystem::remove_all(folder_);
  }

  std::string Write(const std::string& name, const std::string& content) {
    const std::string path = folder_ + "/" + name, temporary = path + ".new";
    std::ofstream(temporary) << content;
    chmod(temporary.c_str(), 0600);
    std::filesystem::rename(temporary, path);
    return path;
  }
  // NAME.crt and NAME.key.
  void Issue(const std::string& name, const KeyAndCertificate& authority, CertificateUse use,
             const std::vector<std::string>& hosts) {
    const KeyAndCertificate issued = *IssueCertificate(authority, {use, name, hosts, 5});
    Write(name + ".key", issued.key);
    Write(name + ".crt", issued.certificate);
  }
  void Serve(const ServerTls& tls) {
    const auto credentials = MakeServerCredentials(tls);
    ASSERT_TRUE(credentials.ok()) << credentials.status();
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", *credentials, &port_);
    builder.RegisterCallbackGenericService(&mirror_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  ServerTls TlsOf(const std::string& name) const {
    return {folder_ + "/" + name + ".crt", folder_ + "/" + name + ".key", "", /*refresh_seconds=*/1};
  }
  std::string address() const { return "localhost:" + std::to_string(port_); }

  // The status of one call on a channel of its own, and what the server saw of the token.
  absl::StatusOr<std::string> Call(const CallerCredentials& credentials) {
    const auto channel = MakeChannel(address(), credentials);
    if (!channel.ok()) return channel.status();
    return CallOn(*channel);
  }
  static absl::StatusOr<std::string> CallOn(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    const grpc::Slice nothing(std::string{});
    const grpc::ByteBuffer request(&nothing, 1);
    grpc::ByteBuffer answer;
    std::promise<grpc::Status> ended;
    stub.UnaryCall(&context, "/a.Service/Method", grpc::StubOptions(), &request, &answer,
                   [&](grpc::Status status) { ended.set_value(std::move(status)); });
    const grpc::Status status = ended.get_future().get();
    if (!status.ok()) return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
    std::vector<grpc::Slice> slices;
    answer.Dump(&slices);
    std::string text;
    for (const grpc::Slice& slice : slices) text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    return text;
  }

  const std::string folder_;
  const KeyAndCertificate authority_ = *MakeAuthority("CA", 10);
  std::string ca_;
  Mirror mirror_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

TEST_F(ChannelTest, TokenGoesWithEachCallToThisMachine) {
  Serve({});
  const std::string token = *MakeToken();
  EXPECT_EQ(*Call({}), "");
  EXPECT_EQ(*Call({.token = token}), "Bearer " + token);
}

TEST_F(ChannelTest, TokenFileIsReadAgainAtEachCall) {
  Serve({});
  const std::string first = *MakeToken(), second = *MakeToken();
  const auto channel = MakeChannel(address(), {.token_file = Write("token", first)});
  ASSERT_TRUE(channel.ok()) << channel.status();
  EXPECT_EQ(*CallOn(*channel), "Bearer " + first);
  Write("token", second + "\n");
  EXPECT_EQ(*CallOn(*channel), "Bearer " + second);
  Write("token", "half a tok");
  EXPECT_EQ(*CallOn(*channel), "Bearer " + second) << "a file that is being written must not log anybody out";
}

TEST_F(ChannelTest, TokenDoesNotGoToAnotherMachineInTheOpen) {
  const std::string token = *MakeToken();
  for (const char* other : {"10.0.0.1:7117", "ridge.example:7117", "127.evil.example:7117", "[fe80::1]:7117"}) {
    const absl::Status status = MakeChannel(other, {.token = token}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << other;
    EXPECT_THAT(std::string(status.message()), HasSubstr("--tls-ca"));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr(token)));
    EXPECT_TRUE(MakeChannel(other, {.tls_ca = ca_, .token = token}).ok()) << other;
  }
}

TEST_F(ChannelTest, WhatCannotWorkIsSaidBeforeACallIsMade) {
  const std::string token = *MakeToken();
  const auto code = [](const std::string& address, const CallerCredentials& credentials) {
    return MakeChannel(address, credentials).status().code();
  };
  EXPECT_EQ(code("nowhere", {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("127.0.0.1:0", {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("127.0.0.1:70000", {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("127.0.0.1:1", {.tls_ca = folder_ + "/missing"}), absl::StatusCode::kNotFound);
  EXPECT_EQ(code("127.0.0.1:1", {.tls_ca = ca_, .tls_cert = ca_}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("127.0.0.1:1", {.tls_cert = ca_, .tls_key = ca_}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("127.0.0.1:1", {.token = "hunter2"}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("127.0.0.1:1", {.token_file = folder_ + "/missing"}), absl::StatusCode::kNotFound);
  EXPECT_TRUE(MakeChannel("unix:" + folder_ + "/socket", {.token = token}).ok());
}

TEST_F(ChannelTest, TlsServerIsTrustedByItsCaAndItsNameOnly) {
  Issue("server", authority_, CertificateUse::kServer, {"localhost", "127.0.0.1"});
  Serve(TlsOf("server"));
  const std::string token = *MakeToken();
  EXPECT_EQ(*Call({.tls_ca = ca_, .token = token}), "Bearer " + token);
  const std::string other_ca = Write("other.crt", MakeAuthority("CA", 10)->certificate);
  EXPECT_TRUE(absl::IsUnavailable(Call({.tls_ca = other_ca}).status()));
  EXPECT_TRUE(absl::IsUnavailable(Call({}).status())) << "a caller without TLS";
}

TEST_F(ChannelTest, ServerWithAnotherNameIsNotTrusted) {
  Issue("server", authority_, CertificateUse::kServer, {"elsewhere.example"});
  Serve(TlsOf("server"));
  EXPECT_TRUE(absl::IsUnavailable(Call({.tls_ca = ca_}).status()));
}

TEST_F(ChannelTest, MutualTlsWantsACertificateOfTheRightCa) {
  Issue("server", authority_, CertificateUse::kServer, {"localhost"});
  Issue("client", authority_, CertificateUse::kClient, {});
  const KeyAndCertificate other = *MakeAuthority("CA", 10);
  Issue("stranger", other, CertificateUse::kClient, {});
  ServerTls tls = TlsOf("server");
  tls.client_ca = ca_;
  Serve(tls);
  const auto call_as = [&](const std::string& name) {
    return Call({.tls_ca = ca_, .tls_cert = folder_ + "/" + name + ".crt", .tls_key = folder_ + "/" + name + ".key"});
  };
  EXPECT_TRUE(call_as("client").ok()) << call_as("client").status();
  EXPECT_FALSE(call_as("stranger").ok());
  EXPECT_FALSE(Call({.tls_ca = ca_}).ok());
}

TEST_F(ChannelTest, NewServerCertificateIsTakenWithoutARestart) {
  Issue("server", authority_, CertificateUse::kServer, {"localhost"});
  Serve(TlsOf("server"));
  ASSERT_TRUE(Call({.tls_ca = ca_}).ok());
  const KeyAndCertificate next = *MakeAuthority("next CA", 10);
  const std::string next_ca = Write("next.crt", next.certificate);
  ASSERT_FALSE(Call({.tls_ca = next_ca}).ok());
  Issue("server", next, CertificateUse::kServer, {"localhost"});
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!Call({.tls_ca = next_ca}).ok() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(Call({.tls_ca = next_ca}).ok());
  EXPECT_FALSE(Call({.tls_ca = ca_}).ok());
}

TEST_F(ChannelTest, ServerIsNotStartedWithFilesThatDoNotFit) {
  Issue("one", authority_, CertificateUse::kServer, {"localhost"});
  Issue("two", authority_, CertificateUse::kServer, {"localhost"});
  EXPECT_FALSE(MakeServerCredentials({folder_ + "/one.crt", folder_ + "/two.key"}).ok());
  EXPECT_FALSE(MakeServerCredentials({folder_ + "/one.crt", ""}).ok());
  EXPECT_FALSE(MakeServerCredentials({"", "", ca_}).ok());
  EXPECT_FALSE(MakeServerCredentials({folder_ + "/one.crt", folder_ + "/one.key", folder_ + "/one.key"}).ok());
  chmod((folder_ + "/one.key").c_str(), 0644);
  EXPECT_FALSE(MakeServerCredentials({folder_ + "/one.crt", folder_ + "/one.key"}).ok());
}

}  // namespace
}  // namespace ridgeline
