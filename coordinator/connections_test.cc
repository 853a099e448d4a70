// SPDX-License-Identifier: Apache-2.0
// Connections that mean harm: thousands that say nothing, requests that never end. Others are served meanwhile.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <nlohmann/json.hpp>

#include "common/file.h"
#include "coordinator/rpc/test_cluster.h"

namespace ridgeline::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr int kSilent = 1'500;
constexpr rlim_t kFiles = 1'024;
constexpr std::chrono::seconds kSoon(10);

int PortOf(const std::string& address) { return std::stoi(address.substr(address.rfind(':') + 1)); }

// A connection to 127.0.0.1; -1 if there is none.
int Connect(int port) {
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<uint16_t>(port));
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) == 0) return fd;
  close(fd);
  return -1;
}

void Send(int fd, const std::string& text) { send(fd, text.data(), text.size(), MSG_NOSIGNAL); }

std::string ReadAll(int fd) {
  std::string answer;
  char buffer[4096];
  for (ssize_t n = 0; (n = recv(fd, buffer, sizeof(buffer), 0)) > 0;) answer.append(buffer, static_cast<size_t>(n));
  return answer;
}

class Crowd {
 public:
  // Each says so much at once, and nothing more.
  Crowd(int port, int count, const std::string& words = "") {
    for (int i = 0; i < count; ++i) {
      fds_.push_back(Connect(port));
      Send(fds_.back(), words);
    }
  }
  ~Crowd() { Leave(); }
  void Leave() {
    for (const int fd : fds_) close(fd);
    fds_.clear();
  }

 private:
  std::vector<int> fds_;
};

// On a channel of its own, so that each call connects anew.
grpc::Status AskInfo(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  const auto stub =
      v1::Coordinator::NewStub(grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + kSoon);
  v1::Info info;
  return stub->GetInfo(&context, v1::GetInfoRequest(), &info);
}

// The real program, with few descriptors.
class CrowdedProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    RaiseFileLimit();
    std::filesystem::remove_all(folder_);
    pid_ = fork();
    if (pid_ == 0) RunProgram();
    const std::string file = (folder_ / "coordinator.json").string();
    ASSERT_TRUE(WaitUntil([&] { return std::filesystem::exists(file); }));
    address_ = nlohmann::json::parse(*ReadFile(file, 1 << 16)).at("address").get<std::string>();
  }
  void TearDown() override {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }
  void RunProgram() const {
    const rlimit files{kFiles, kFiles};
    setrlimit(RLIMIT_NOFILE, &files);
    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
    execl(RIDGELINE_COORDINATOR_BINARY, "ridgeline-coordinator", "--state", folder_.c_str(), "--listen", "127.0.0.1:0",
          "--metrics", "", nullptr);
    _exit(127);
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("ridgeline_crowd_" + std::to_string(getpid()));
  std::string address_;
  pid_t pid_ = 0;
};

TEST_F(CrowdedProgramTest, ConnectionsThatSayNothingLockOutNobody) {
  Crowd crowd(PortOf(address_), kSilent);
  EXPECT_TRUE(AskInfo(address_).ok());
  crowd.Leave();
  EXPECT_TRUE(AskInfo(address_).ok());
}

TEST_F(CrowdedProgramTest, ConnectionsThatSayHalfAGreetingEndAndLeaveAnEntranceForAdministrators) {
  Crowd crowd(PortOf(address_), kSilent, "PRI * HTTP/2.0\r\n");
  EXPECT_TRUE(AskInfo("unix:" + (folder_ / "coordinator.sock").string()).ok());
  EXPECT_TRUE(AskInfo(address_).ok());
  crowd.Leave();
  EXPECT_TRUE(AskInfo(address_).ok());
}

class ConnectionsTest : public ClusterTest {
 protected:
  ConnectionsTest() { options_.metrics = "127.0.0.1:0"; }
  std::string Scrape(const std::string& request) const {
    const int fd = Connect(PortOf(server_->metrics_address()));
    Send(fd, request);
    const std::string answer = ReadAll(fd);
    close(fd);
    return answer;
  }
};

TEST_F(ConnectionsTest, MetricsAreServedBesideRequestsThatNeverEnd) {
  Crowd crowd(PortOf(server_->metrics_address()), 100, "GET /metrics HTTP/1.1\r\nHost: a");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(Scrape("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, kSoon);
}

TEST_F(ConnectionsTest, MetricsEndpointRefusesWhatItDoesNotServe) {
  EXPECT_THAT(Scrape("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Scrape("POST /metrics HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(Scrape("\r\n\r\n"), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(Scrape("GET /metrics" + std::string(20'000, 'a')), StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(Scrape("GET /metrics?x=1 HTTP/1.1\r\n\r\n"), HasSubstr("ridgeline_build_info"));
  EXPECT_THAT(Scrape("HEAD /metrics HTTP/1.1\r\n\r\n"), testing::Not(HasSubstr("ridgeline_build_info")));
}

TEST_F(ConnectionsTest, SocketInTheStateFolderIsOnlyForItsOwner) {
  struct stat status {};
  ASSERT_EQ(stat(server_->socket_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_TRUE(AskInfo("unix:" + server_->socket_path()).ok());
  const std::string path = server_->socket_path();
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ConnectionsTest, AddressesThatCannotBeListenedOnAreRefusedInWords) {
  options_.state_dir += "-other";
  for (const char* address :
       {"127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:", ":7117", "127.0.0.1", "localhost:http"}) {
    options_.listen = address;
    const absl::Status status = CoordinatorServer::Start(options_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("--listen")) << address;
  }
  options_.listen = server_->address();
  EXPECT_THAT(std::string(CoordinatorServer::Start(options_).status().message()), HasSubstr("port 0 takes any free"));
  options_.listen = "127.0.0.1:0";
  options_.metrics = server_->metrics_address();
  EXPECT_THAT(std::string(CoordinatorServer::Start(options_).status().message()), HasSubstr("--metrics"));
  std::filesystem::remove_all(options_.state_dir);
}

TEST_F(ConnectionsTest, Ipv6AddressesAreListenedOn) {
  const int fd = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 here{};
  here.sin6_family = AF_INET6;
  here.sin6_addr = in6addr_loopback;
  const bool has_ipv6 = fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof(here)) == 0;
  if (fd >= 0) close(fd);
  if (!has_ipv6) GTEST_SKIP() << "this machine has no ::1";
  options_.listen = options_.metrics = "[::1]:0";
  Restart();
  EXPECT_TRUE(AskInfo(server_->address()).ok());
  EXPECT_THAT(server_->metrics_address(), StartsWith("[::1]:"));
}

}  // namespace
}  // namespace ridgeline::test
