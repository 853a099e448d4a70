// SPDX-License-Identifier: Apache-2.0
#include "coordinator/rpc/server.h"

#include <fmt/format.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <exception>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "net/endpoint.h"
#include "recipes/schema_hash.h"

namespace ridgeline {
namespace {

constexpr int kMaxMessageBytes = 4 << 20;
constexpr int kMaxThreads = 4'096;  // Each worker group's stream has one, each call while it lasts.
constexpr int kMaxCallsOfAConnection = 1'024;
constexpr int kKeepaliveMs = 10'000;
constexpr int kMinPingIntervalMs = 5'000;
constexpr int kHandshakeMs = 5'000;  // From the first byte to the client's settings.
constexpr int kMaxIdleMs = 300'000;  // Clients connect again by themselves.
constexpr char kSocketName[] = "/coordinator.sock";
constexpr ConnectionLimits kLocalLimits{.open = 64, .silent = 32};
constexpr int kStopGraceMs = 500;  // For calls in progress; streams are told to end before.

// What is beyond this machine is for those only who have a token and can see whom they give it to.
absl::Status CheckListen(const ServerOptions& options) {
  ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(options.listen, "--listen"));
  if (IsLoopback(endpoint.host) || options.insecure || options.tls.is_on()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("--listen '{}' listens beyond this machine without TLS and tokens; use 127.0.0.1, or give --tls-cert "
                  "and --tls-key (`ridgeline admin cert` makes them), or say --insecure if the network is trusted",
                  options.listen));
}

absl::Status CheckMetrics(const ServerOptions& options) {
  if (options.metrics.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(options.metrics, "--metrics"));
  if (IsLoopback(endpoint.host) || options.insecure) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("--metrics '{}' listens beyond this machine, and has neither TLS nor tokens; use 127.0.0.1, or say "
                  "--insecure if the network is trusted",
                  options.metrics));
}

// Beyond this machine they are asked for unless somebody says otherwise.
bool RequiresTokens(const ServerOptions& options) {
  const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(options.listen, "--listen");
  return options.require_tokens || (endpoint.ok() && !IsLoopback(endpoint->host) && !options.insecure);
}

// Takes off gRPC's reflection, which has no place to ask for a token.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins, [](const auto& plugin) {
      return dynamic_cast<grpc::reflection::ProtoServerReflectionPlugin*>(plugin.get()) != nullptr;
    });
  }
};

// One way in: what comes through the guard is served by the server that is made of `builder`.
class Entrance {
 public:
  Entrance(Listener listener, ConnectionLimits limits, grpc::ServerBuilder& builder,
           const std::shared_ptr<grpc::ServerCredentials>& credentials)
      : listener_(std::move(listener)),
        limits_(limits),
        acceptor_(builder.experimental().AddExternalConnectionAcceptor(
            grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials)) {}

  // Once the server runs.
  std::unique_ptr<ConnectionGuard> Open() {
    return std::make_unique<ConnectionGuard>(std::move(listener_), limits_, [acceptor = acceptor_.get()](int fd) {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
      connection.fd = fd;
      acceptor->HandleNewConnection(&connection);
    });
  }
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> TakeAcceptor() { return std::move(acceptor_); }

 private:
  Listener listener_;
  ConnectionLimits limits_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CoordinatorServer>> CoordinatorServer::Start(const ServerOptions& options) {
  RETURN_IF_ERROR(CheckListen(options));
  RETURN_IF_ERROR(CheckMetrics(options));
  ASSIGN_OR_RETURN(StateDirLock lock, StateDirLock::Acquire(options.state_dir));
  std::unique_ptr<CoordinatorServer> server(new CoordinatorServer(options, std::move(lock)));
  RETURN_IF_ERROR(server->OpenStores());
  if (!options.metrics.empty()) RETURN_IF_ERROR(server->StartMetrics());
  RETURN_IF_ERROR(server->StartGrpc());
  RETURN_IF_ERROR(server->WriteAddressFile());
  return server;
}

absl::Status CoordinatorServer::WriteAddressFile() {
  const absl::Status status =
      WriteCoordinatorFile(options_.state_dir, address_, metrics_address_, options_.tls.is_on());
  if (status.ok() || !absl::IsResourceExhausted(status)) return status;
  if (!owes_address_file_.exchange(true))
    spdlog::warn("clients that look for this coordinator in {} do not find it until there is space: {}",
                 options_.state_dir, std::string(status.message()));
  return absl::OkStatus();
}

absl::Status CoordinatorServer::OpenStores() {
  start_unix_ms_ = options_.clock->WallUnixMs();
  JournalOptions journal_options;
  journal_options.path = options_.state_dir + "/journal.db";
  journal_options.clock = options_.clock;
  journal_options.observer = &metrics_;
  ASSIGN_OR_RETURN(journal_, Journal::Open(journal_options));
  requires_tokens_ = RequiresTokens(options_);
  access_ = std::make_unique<AccessControl>(journal_.get(), options_.clock, requires_tokens_,
                                            [this](const char* reason) { metrics_.OnAuthFailure(reason); });
  rate_ = std::make_unique<RateLimit>(options_.clock, options_.call_rate);
  tokens_ = std::make_unique<TokenActions>(journal_.get(), options_.clock);
  if (requires_tokens_)
    RETURN_IF_ERROR(tokens_->MakeFirstAdmin(options_.state_dir + "/admin.token", options_.new_admin_token));
  journal_->Read([this](const CoordinatorState& state) {
    for (const auto& [name, queue] : state.queues()) metrics_.AddQueue(name);
    return true;
  });
  ASSIGN_OR_RETURN(store_, MetricStore::Open(options_.state_dir + "/metrics.db"));
  const FleetOptions fleet_options{options_.heartbeat_ms, options_.lease_ms, options_.clock, RecipeSchemaHash(),
                                   options_.answer_grace_ms};
  fleet_ = std::make_unique<Fleet>(fleet_options, journal_.get(), store_.get(), &metrics_);
  controller_ = std::make_unique<Controller>(journal_.get(), store_.get(), fleet_.get(), options_.clock,
                                             [this](double seconds) { metrics_.ObserveSchedulerCycle(seconds); });
  history_ = std::make_unique<HistoryKeeper>(journal_.get(), store_.get(), options_.clock);
  loop_ = std::make_unique<ControlLoop>(journal_.get(), controller_.get(), [this] {
    history_->RunIfDue();
    if (owes_address_file_ && !journal_->refuses_writes())
      owes_address_file_ =
          !WriteCoordinatorFile(options_.state_dir, address_, metrics_address_, options_.tls.is_on()).ok();
  });
  views_ = std::make_unique<JobViews>(journal_.get(), store_.get(), controller_.get());
  reader_ = std::make_unique<JobReader>(journal_.get(), store_.get(), fleet_.get(), views_.get());
  actions_ = std::make_unique<JobActions>(journal_.get());
  queues_ = std::make_unique<QueueReader>(journal_.get(), fleet_.get(), options_.clock);
  queue_actions_ = std::make_unique<QueueActions>(journal_.get(), fleet_.get());
  streams_ = std::make_unique<StreamHub>(reader_.get(), access_.get(), journal_.get(), store_.get(), &metrics_,
                                         options_.max_streams);
  service_ = std::make_unique<CoordinatorService>(access_.get(), rate_.get(), actions_.get(), queue_actions_.get(),
                                                  tokens_.get(), reader_.get(), queues_.get(), streams_.get(),
                                                  journal_.get(), &metrics_, [this] { return Info(); });
  gateway_ = std::make_unique<WorkerGateway>(access_.get(), tokens_.get(), fleet_.get(), &metrics_);
  collector_ = std::make_shared<StateCollector>(journal_.get(), store_.get(), fleet_.get(), options_.clock,
                                                options_.series_grace_ms);
  return absl::OkStatus();
}

absl::Status CoordinatorServer::StartMetrics() {
  ASSIGN_OR_RETURN(Listener listener, Listener::OpenTcp(options_.metrics, "--metrics"));
  metrics_address_ = listener.address();
  metrics_endpoint_ = std::make_unique<MetricsEndpoint>(
      std::move(listener),
      std::vector<std::shared_ptr<prometheus::Collectable>>{metrics_.registry(), metrics_.collectives(), collector_});
  return absl::OkStatus();
}

void CoordinatorServer::AddServices(grpc::ServerBuilder& builder) {
  builder.RegisterService(service_.get());
  builder.RegisterService(gateway_.get());
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetResourceQuota(grpc::ResourceQuota("coordinator").SetMaxThreads(kMaxThreads));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxCallsOfAConnection);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kMaxIdleMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
}

absl::Status CoordinatorServer::StartGrpc() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ServerCredentials> credentials, MakeServerCredentials(options_.tls));
  grpc::ServerBuilder builder;
  if (requires_tokens_) builder.SetOption(std::make_unique<WithoutReflection>());
  AddServices(builder);
  ASSIGN_OR_RETURN(Listener network, Listener::OpenTcp(options_.listen, "--listen"));
  address_ = network.address();
  std::vector<Entrance> entrances;
  entrances.emplace_back(std::move(network), LimitsForFiles(RaiseFileLimit()), builder, credentials);
  if (absl::StatusOr<Listener> local = Listener::OpenUnix(options_.state_dir + kSocketName); local.ok()) {
    socket_path_ = local->address();
    entrances.emplace_back(*std::move(local), kLocalLimits, builder, grpc::InsecureServerCredentials());
  } else {
    spdlog::warn("no entrance for administrators: {}", std::string(local.status().message()));
  }
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return absl::InternalError("the gRPC server does not start");
  for (const char* service : {v1::Coordinator::service_full_name(), v1::WorkerGateway::service_full_name()})
    server_->GetHealthCheckService()->SetServingStatus(service, true);
  for (Entrance& entrance : entrances) {
    guards_.push_back(entrance.Open());
    acceptors_.push_back(entrance.TakeAcceptor());
  }
  return absl::OkStatus();
}

CoordinatorServer::~CoordinatorServer() {
  if (server_ != nullptr) {
    RemoveCoordinatorFile(options_.state_dir);
    server_->GetHealthCheckService()->SetServingStatus(false);  // Of all services, to those who watch it.
    guards_.clear();
    streams_->Stop();
    fleet_->Close();
    journal_->changes().Notify();
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(kStopGraceMs));
    server_->Wait();
  }
}

v1::Info CoordinatorServer::Info() {
  v1::Info info;
  info.set_version(RIDGELINE_VERSION);
  info.set_state_dir(options_.state_dir);
  info.set_start_unix_ms(start_unix_ms_);
  info.set_metrics_address(metrics_address_);
  info.set_read_only(journal_->refuses_writes());
  const std::vector<Fleet::GroupView> groups = fleet_->Groups();
  info.set_groups(static_cast<int>(groups.size()));
  for (const Fleet::GroupView& view : groups) info.set_ranks(info.ranks() + view.group.ranks());
  journal_->Read([&](const CoordinatorState& state) {
    for (const auto& [number, job] : state.jobs()) {
      if (!IsParent(job)) ++(*info.mutable_jobs_by_state())[v1::JobState_Name(job.state())];
    }
    return true;
  });
  return info;
}

}  // namespace ridgeline
