// SPDX-License-Identifier: Apache-2.0
// A coordinator that asks for tokens lets nobody in without one: every RPC of the schema, over real connections.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <fstream>
#include <future>
#include <set>
#include <sstream>

#include "common/file.h"
#include "coordinator/rpc/test_cluster.h"
#include "net/channel.h"
#include "net/roles.h"
#include "net/tokens.h"
#include "recipes/schema_hash.h"

namespace ridgeline {
namespace {

using test::MakeRecipe;
using testing::HasSubstr;
using testing::Not;

// "/ridgeline.v1.Coordinator/GetJob" and so on: all that the schema has.
std::vector<std::string> RpcsOfTheSchema() {
  std::vector<std::string> rpcs;
  for (const char* service : {"ridgeline.v1.Coordinator", "ridgeline.v1.WorkerGateway"}) {
    const auto* descriptor = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(service);
    for (int i = 0; descriptor != nullptr && i < descriptor->method_count(); ++i)
      rpcs.push_back(std::string("/") + service + "/" + descriptor->method(i)->name());
  }
  return rpcs;
}

class AccessTest : public test::ClusterTest {
 protected:
  using Stub = v1::Coordinator::Stub;

  void SetUp() override {
    options_.require_tokens = true;
    Restart();
    admin_ = *ReadTokenFile(options_.state_dir + "/admin.token");
  }

  std::shared_ptr<grpc::Channel> ChannelOf(const std::string& token) const {
    auto channel = MakeChannel(server_->address(), {.token = token});
    EXPECT_TRUE(channel.ok()) << channel.status();
    return *channel;
  }
  template <typename Response, typename Request, typename Method>
  grpc::Status CallAs(const std::string& token, Method method, const Request& request, Response* response) const {
    const auto stub = v1::Coordinator::NewStub(ChannelOf(token));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(test::kPatienceSeconds));
    return (stub.get()->*method)(&context, request, response);
  }
  // One empty message to any RPC by its name.
  grpc::StatusCode CallEmpty(const std::string& rpc, const std::string& token) const {
    grpc::GenericStub stub(ChannelOf(token));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(test::kPatienceSeconds));
    const grpc::Slice nothing(std::string{});
    const grpc::ByteBuffer request(&nothing, 1);
    grpc::ByteBuffer response;
    std::promise<grpc::Status> ended;
    stub.UnaryCall(&context, rpc, grpc::StubOptions(), &request, &response,
                   [&](grpc::Status status) { ended.set_value(std::move(status)); });
    return ended.get_future().get().error_code();
  }

  v1::CreateTokenRequest TokenRequest(const std::string& name, const std::string& role) const {
    v1::CreateTokenRequest request;
    request.set_name(name);
    request.set_role(role);
    return request;
  }
  std::string Create(const v1::CreateTokenRequest& request) const {
    v1::CreateTokenResponse response;
    const grpc::Status status = CallAs(admin_, &Stub::CreateToken, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.secret();
  }
  std::string Create(const std::string& name, const std::string& role) const {
    return Create(TokenRequest(name, role));
  }
  std::string CreateJoin(const std::string& name) const {
    v1::CreateTokenRequest request = TokenRequest(name, "worker");
    request.set_is_single_use(true);
    return Create(request);
  }
  void Revoke(const std::string& name) const {
    v1::RevokeTokenRequest request;
    request.set_name(name);
    v1::Token token;
    EXPECT_TRUE(CallAs(admin_, &Stub::RevokeToken, request, &token).ok());
    EXPECT_TRUE(token.is_revoked());
  }
  v1::Job SubmitAs(const std::string& token, const std::string& name) const {
    v1::SubmitJobRequest request;
    *request.mutable_recipe() = MakeRecipe(name);
    v1::SubmitJobResponse response;
    const grpc::Status status = CallAs(token, &Stub::SubmitJob, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.job();
  }
  grpc::StatusCode CancelAs(const std::string& token, const std::string& job) const {
    v1::CancelJobRequest request;
    request.set_job(job);
    v1::Job response;
    return CallAs(token, &Stub::CancelJob, request, &response).error_code();
  }
  grpc::StatusCode InfoAs(const std::string& token) const {
    v1::Info info;
    return CallAs(token, &Stub::GetInfo, v1::GetInfoRequest(), &info).error_code();
  }

  std::string admin_;
};

// A worker group's stream with a token.
class TokenWorker {
 public:
  TokenWorker(const std::shared_ptr<grpc::Channel>& channel, const std::string& group_id,
              const std::string& incarnation = "one")
      : stub_(v1::WorkerGateway::NewStub(channel)), stream_(stub_->Attach(&context_)) {
    v1::WorkerMessage message;
    message.mutable_hello()->set_group_id(group_id);
    message.mutable_hello()->set_incarnation(incarnation);
    message.mutable_hello()->set_ranks(1);
    message.mutable_hello()->set_recipe_schema(RecipeSchemaHash());
    stream_->Write(message);
  }
  ~TokenWorker() { End(); }
  bool IsWelcome() {
    v1::CoordinatorMessage answer;
    return stream_->Read(&answer) && answer.has_welcome();
  }
  // Heartbeats until the stream is over, which only a refusal ends, and its status.
  grpc::StatusCode HeartbeatUntilEnded() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(test::kPatienceSeconds);
    v1::WorkerMessage message;
    message.mutable_heartbeat();
    while (stream_->Write(message) && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return End();
  }
  grpc::StatusCode End() {
    if (has_ended_) return status_.error_code();
    has_ended_ = true;
    stream_->WritesDone();
    v1::CoordinatorMessage rest;
    while (stream_->Read(&rest)) {
    }
    status_ = stream_->Finish();
    return status_.error_code();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::WorkerGateway::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>> stream_;
  grpc::Status status_;
  bool has_ended_ = false;
};

TEST(RoleTableTest, EveryRpcOfTheSchemaHasARoleAndAsksForAToken) {
  const std::vector<std::string> rpcs = RpcsOfTheSchema();
  ASSERT_GT(rpcs.size(), 15u);
  for (const std::string& rpc : rpcs) {
    ASSERT_TRUE(RequiredRole(rpc).has_value()) << rpc << " has no line in net/roles.cc";
    EXPECT_NE(*RequiredRole(rpc), Role::kNobody) << rpc;
  }
  for (const RpcRule& rule : RpcRules()) {
    if (!rule.rpc.starts_with("/ridgeline.")) continue;
    EXPECT_NE(std::find(rpcs.begin(), rpcs.end(), rule.rpc), rpcs.end()) << rule.rpc << " is none of the schema";
  }
}

TEST_F(AccessTest, EveryRpcIsDeniedWithoutATokenThatIsGoodAndOfTheRightRole) {
  std::map<Role, std::string> good, expired, revoked;
  for (const Role role : {Role::kViewer, Role::kSubmitter, Role::kAdmin, Role::kWorker}) {
    const std::string name(RoleName(role));
    good[role] = Create("good-" + name, name);
    revoked[role] = Create("revoked-" + name, name);
    Revoke("revoked-" + name);
    v1::CreateTokenRequest brief = TokenRequest("brief-" + name, name);
    brief.set_lifetime_seconds(60);
    expired[role] = Create(brief);
  }
  clock_.Advance(61'000);
  const auto is_denied = [&](const std::string& rpc, const std::string& token, grpc::StatusCode wanted) {
    return CallEmpty(rpc, token) == wanted;
  };
  for (const std::string& rpc : RpcsOfTheSchema()) {
    const Role required = *RequiredRole(rpc);
    EXPECT_TRUE(is_denied(rpc, "", grpc::StatusCode::UNAUTHENTICATED)) << rpc;
    EXPECT_TRUE(is_denied(rpc, *MakeToken(), grpc::StatusCode::UNAUTHENTICATED)) << rpc;
    EXPECT_TRUE(is_denied(rpc, expired[required], grpc::StatusCode::UNAUTHENTICATED)) << rpc;
    EXPECT_TRUE(is_denied(rpc, revoked[required], grpc::StatusCode::UNAUTHENTICATED)) << rpc;
    for (const auto& [role, token] : good) {
      if (Suffices(role, required)) {
        EXPECT_FALSE(is_denied(rpc, token, grpc::StatusCode::PERMISSION_DENIED)) << rpc << " as " << RoleName(role);
      } else {
        EXPECT_TRUE(is_denied(rpc, token, grpc::StatusCode::PERMISSION_DENIED)) << rpc << " as " << RoleName(role);
      }
    }
  }
}

TEST_F(AccessTest, ProbesNeedNoTokenAndReflectionIsOff) {
  EXPECT_EQ(CallEmpty("/grpc.health.v1.Health/Check", ""), grpc::StatusCode::OK);
  EXPECT_EQ(CallEmpty("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", admin_),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(AccessTest, SubmitterChangesItsOwnJobsAndNobodyElses) {
  const std::string alice = Create("alice", "submitter"), bob = Create("bob", "submitter");
  const v1::Job of_alice = SubmitAs(alice, "a");
  EXPECT_EQ(of_alice.owner(), "alice");
  EXPECT_EQ(CancelAs(bob, of_alice.id()), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(CancelAs(alice, of_alice.id()), grpc::StatusCode::OK);
  v1::RetryJobRequest retry;
  retry.set_job("a");
  v1::Job job;
  EXPECT_EQ(CallAs(bob, &Stub::RetryJob, retry, &job).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(CallAs(alice, &Stub::RetryJob, retry, &job).error_code(), grpc::StatusCode::OK);
  EXPECT_EQ(CancelAs(admin_, of_alice.id()), grpc::StatusCode::OK);
}

TEST_F(AccessTest, RequestIdOfSomebodyElseGivesNothingAway) {
  const std::string alice = Create("alice", "submitter"), bob = Create("bob", "submitter");
  v1::SubmitJobRequest request;
  *request.mutable_recipe() = MakeRecipe("a");
  request.set_request_id("same");
  v1::SubmitJobResponse response;
  ASSERT_TRUE(CallAs(alice, &Stub::SubmitJob, request, &response).ok());
  EXPECT_EQ(CallAs(bob, &Stub::SubmitJob, request, &response).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(CallAs(alice, &Stub::SubmitJob, request, &response).ok());
}

TEST_F(AccessTest, OwnJobsAreThoseOfTheCallerAndViewersSeeAll) {
  const std::string alice = Create("alice", "submitter"), bob = Create("bob", "submitter");
  SubmitAs(alice, "a");
  SubmitAs(bob, "b");
  const auto count = [&](const std::string& token) {
    v1::ListJobsRequest request;
    request.set_owner("@me");
    v1::ListJobsResponse response;
    EXPECT_TRUE(CallAs(token, &Stub::ListJobs, request, &response).ok());
    return response.jobs_size();
  };
  EXPECT_EQ(count(alice), 1);
  EXPECT_EQ(count(bob), 1);
  EXPECT_EQ(count(Create("eve", "viewer")), 2);
}

TEST_F(AccessTest, RotatedSecretIsGoodForTheOverlapAndNoLonger) {
  const std::string first = Create("ci", "viewer");
  v1::CreateTokenRequest rotate;
  rotate.set_name("ci");
  rotate.set_rotate(true);
  rotate.set_overlap_seconds(3'600);
  const std::string second = Create(rotate);
  EXPECT_EQ(InfoAs(first), grpc::StatusCode::OK);
  EXPECT_EQ(InfoAs(second), grpc::StatusCode::OK);
  clock_.Advance(3'600'000);
  EXPECT_EQ(InfoAs(first), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(InfoAs(second), grpc::StatusCode::OK);
  rotate.set_overlap_seconds(0);
  const std::string third = Create(rotate);
  EXPECT_EQ(InfoAs(second), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(InfoAs(third), grpc::StatusCode::OK);
}

TEST_F(AccessTest, TokensOutliveARestart) {
  const std::string viewer = Create("eve", "viewer"), gone = Create("gone", "viewer");
  Revoke("gone");
  Restart();
  EXPECT_EQ(InfoAs(viewer), grpc::StatusCode::OK);
  EXPECT_EQ(InfoAs(gone), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(*ReadTokenFile(options_.state_dir + "/admin.token"), admin_) << "a second start makes no second admin";
  EXPECT_EQ(InfoAs(admin_), grpc::StatusCode::OK);
}

TEST_F(AccessTest, FirstAdminsTokenIsItsOwnersAloneAndIsMadeAnewOnRequest) {
  const std::string path = options_.state_dir + "/admin.token";
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  options_.new_admin_token = true;
  Restart();
  EXPECT_EQ(InfoAs(admin_), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(InfoAs(*ReadTokenFile(path)), grpc::StatusCode::OK);
}

TEST_F(AccessTest, WhatIsNoTokenIsNotMade) {
  const auto refused = [&](const v1::CreateTokenRequest& request) {
    v1::CreateTokenResponse response;
    return CallAs(admin_, &Stub::CreateToken, request, &response).error_code();
  };
  EXPECT_EQ(refused(TokenRequest("", "viewer")), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused(TokenRequest("@me", "viewer")), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused(TokenRequest("local", "viewer")), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused(TokenRequest(std::string(65, 'a'), "viewer")), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused(TokenRequest("a", "root")), grpc::StatusCode::INVALID_ARGUMENT);
  v1::CreateTokenRequest single = TokenRequest("a", "viewer");
  single.set_is_single_use(true);
  EXPECT_EQ(refused(single), grpc::StatusCode::INVALID_ARGUMENT);
  v1::CreateTokenRequest negative = TokenRequest("a", "viewer");
  negative.set_lifetime_seconds(-1);
  EXPECT_EQ(refused(negative), grpc::StatusCode::INVALID_ARGUMENT);
  Create("a", "viewer");
  EXPECT_EQ(refused(TokenRequest("a", "admin")), grpc::StatusCode::ALREADY_EXISTS);
  v1::CreateTokenRequest rotate = TokenRequest("b", "");
  rotate.set_rotate(true);
  EXPECT_EQ(refused(rotate), grpc::StatusCode::NOT_FOUND);
  Revoke("a");
  EXPECT_EQ(refused(TokenRequest("a", "viewer")), grpc::StatusCode::OK) << "its name is free again";
}

TEST_F(AccessTest, JoinTokenAdmitsOneGroupAndAnImpostorOfThatGroupIsRefused) {
  const std::string join = CreateJoin("rack-1"), other = CreateJoin("rack-2"), any = Create("fleet", "worker");
  TokenWorker first(ChannelOf(join), "g1");
  ASSERT_TRUE(first.IsWelcome());
  EXPECT_EQ(TokenWorker(ChannelOf(join), "g2").End(), grpc::StatusCode::PERMISSION_DENIED) << "it is used";
  EXPECT_EQ(TokenWorker(ChannelOf(other), "g1", "two").End(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(TokenWorker(ChannelOf(any), "g1", "two").End(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(TokenWorker(ChannelOf(""), "g1", "two").End(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(TokenWorker(ChannelOf(other), "g2").IsWelcome()) << "what was refused did not use it up";
  EXPECT_TRUE(TokenWorker(ChannelOf(any), "g3").IsWelcome());
  EXPECT_TRUE(TokenWorker(ChannelOf(any), "g4").IsWelcome());
  v1::ListTokensResponse tokens;
  ASSERT_TRUE(CallAs(admin_, &Stub::ListTokens, v1::ListTokensRequest(), &tokens).ok());
  std::map<std::string, std::string> used_by;
  for (const v1::Token& token : tokens.tokens()) {
    used_by[token.name()] = token.used_by();
    EXPECT_EQ(token.secret_sha256() + token.previous_secret_sha256(), "");
  }
  EXPECT_EQ(used_by["rack-1"], "g1");
  EXPECT_EQ(used_by["rack-2"], "g2");
  EXPECT_EQ(used_by["fleet"], "");
  Restart();
  EXPECT_TRUE(TokenWorker(ChannelOf(join), "g1", "three").IsWelcome());
  EXPECT_EQ(TokenWorker(ChannelOf(join), "g2").End(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(AccessTest, JoinTokenExpiresUnlessItWasUsed) {
  v1::CreateTokenRequest request = TokenRequest("brief", "worker");
  request.set_is_single_use(true);
  request.set_lifetime_seconds(60);
  const std::string used = Create(request);
  request.set_name("unused");
  const std::string unused = Create(request);
  ASSERT_TRUE(TokenWorker(ChannelOf(used), "g1").IsWelcome());
  clock_.Advance(61'000);
  EXPECT_TRUE(TokenWorker(ChannelOf(used), "g1", "two").IsWelcome()) << "a group comes back whenever it must";
  EXPECT_EQ(TokenWorker(ChannelOf(unused), "g2").End(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(AccessTest, RevokedTokenEndsTheStreamOfItsGroup) {
  const std::string join = CreateJoin("rack-1");
  TokenWorker worker(ChannelOf(join), "g1");
  ASSERT_TRUE(worker.IsWelcome());
  Revoke("rack-1");
  EXPECT_EQ(worker.HeartbeatUntilEnded(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(TokenWorker(ChannelOf(CreateJoin("rack-2")), "g1", "two").IsWelcome()) << "the group's name is free";
}

TEST_F(AccessTest, RevokedTokenEndsWhatRunsOfWatchAndLogs) {
  const auto stub = v1::Coordinator::NewStub(ChannelOf(Create("alice", "viewer")));
  const std::string job_id = SubmitAs(admin_, "a").id();
  grpc::ClientContext watch_context, logs_context;
  v1::WatchJobRequest watch;
  watch.set_job(job_id);
  const auto watching = stub->WatchJob(&watch_context, watch);
  v1::Job job;
  ASSERT_TRUE(watching->Read(&job));
  v1::StreamLogsRequest logs;
  logs.set_job(job_id);
  logs.set_follow(true);
  const auto following = stub->StreamLogs(&logs_context, logs);
  Revoke("alice");
  while (watching->Read(&job)) {
  }
  EXPECT_EQ(watching->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
  v1::LogLine line;
  while (following->Read(&line)) {
  }
  EXPECT_EQ(following->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(AccessTest, WhoCallsTooOftenIsRefusedAndOthersAreNot) {
  options_.call_rate = {.per_second = 0.001, .burst = 5};
  Restart();
  const std::string eager = Create("eager", "viewer"), calm = Create("calm", "viewer");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(InfoAs(eager), grpc::StatusCode::OK);
  EXPECT_EQ(InfoAs(eager), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(InfoAs(calm), grpc::StatusCode::OK);
}

TEST_F(AccessTest, AuditNamesWhoAskedAndFromWhere) {
  const std::string alice = Create("alice", "submitter");
  const v1::Job job = SubmitAs(alice, "a");
  CancelAs(alice, job.id());
  v1::ListAuditResponse audit;
  ASSERT_TRUE(CallAs(admin_, &Stub::ListAudit, v1::ListAuditRequest(), &audit).ok());
  std::set<std::string> lines;
  for (const v1::AuditEntry& entry : audit.entries()) {
    lines.insert(entry.actor() + " " + entry.role() + " " + entry.action() + " " + entry.target());
    if (entry.actor() == "alice") EXPECT_THAT(entry.address(), HasSubstr("127.0.0.1"));
  }
  EXPECT_EQ(lines, (std::set<std::string>{"alice submitter submit " + job.id(), "alice submitter cancel " + job.id(),
                                          "admin admin token alice", "coordinator  token admin"}));
}

TEST_F(AccessTest, NoSecretIsInFilesOrLogs) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  std::vector<std::string> secrets = {admin_, Create("alice", "submitter"), CreateJoin("rack-1")};
  SubmitAs(secrets[1], "a");
  EXPECT_TRUE(TokenWorker(ChannelOf(secrets[2]), "g1").IsWelcome());
  EXPECT_EQ(TokenWorker(ChannelOf(secrets[2]), "g2").End(), grpc::StatusCode::PERMISSION_DENIED);
  const std::string wrong = *MakeToken();
  EXPECT_EQ(InfoAs(wrong), grpc::StatusCode::UNAUTHENTICATED);
  secrets.push_back(wrong);
  server_.reset();
  spdlog::set_default_logger(before);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().filename() == "admin.token") continue;
    const std::string content = *ReadFile(entry.path().string());
    ++files;
    for (const std::string& secret : secrets) {
      EXPECT_EQ(content.find(secret), std::string::npos) << entry.path();
      EXPECT_EQ(content.find(secret.substr(3)), std::string::npos) << entry.path();
    }
  }
  EXPECT_GT(files, 2);
  EXPECT_THAT(log.str(), HasSubstr("g1")) << "the log was not captured";
  for (const std::string& secret : secrets) EXPECT_THAT(log.str(), Not(HasSubstr(secret)));
}

TEST_F(AccessTest, RefusalsAreCountedByReason) {
  std::map<std::string, int> counts;
  const AccessControl access(&server_->journal(), &clock_, /*requires_tokens=*/true,
                             [&](const char* reason) { ++counts[reason]; });
  const std::string viewer = Create("eve", "viewer"), gone = Create("gone", "viewer");
  Revoke("gone");
  v1::CreateTokenRequest brief = TokenRequest("brief", "viewer");
  brief.set_lifetime_seconds(1);
  const std::string expired = Create(brief);
  clock_.Advance(2'000);
  const std::string get = "/ridgeline.v1.Coordinator/GetJob", cancel = "/ridgeline.v1.Coordinator/CancelJob";
  EXPECT_TRUE(access.Admit(get, {viewer, ""}).ok());
  EXPECT_FALSE(access.Admit(get, {"", ""}).ok());
  EXPECT_FALSE(access.Admit(get, {"x", ""}).ok());
  EXPECT_FALSE(access.Admit(get, {gone, ""}).ok());
  EXPECT_FALSE(access.Admit(get, {expired, ""}).ok());
  EXPECT_FALSE(access.Admit(cancel, {viewer, ""}).ok());
  EXPECT_FALSE(access.Admit("/ridgeline.v1.Coordinator/NoSuch", {admin_, ""}).ok());
  EXPECT_EQ(counts,
            (std::map<std::string, int>{{"missing", 1}, {"unknown", 1}, {"revoked", 1}, {"expired", 1}, {"role", 2}}));
}

}  // namespace
}  // namespace ridgeline
