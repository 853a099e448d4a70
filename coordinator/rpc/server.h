// SPDX-License-Identifier: Apache-2.0
// The whole coordinator in one object: stores, gateway, scheduler, gRPC server and metrics endpoint.
#pragma once

#include <grpcpp/server_builder.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "coordinator/control/control_loop.h"
#include "coordinator/control/history_keeper.h"
#include "coordinator/rpc/connection_guard.h"
#include "coordinator/rpc/coordinator_service.h"
#include "coordinator/rpc/metrics_endpoint.h"
#include "coordinator/rpc/stream_hub.h"
#include "coordinator/rpc/worker_gateway.h"
#include "coordinator/state/state_dir.h"
#include "coordinator/telemetry/state_collector.h"
#include "net/server_credentials.h"

namespace ridgeline {

struct ServerOptions {
  std::string state_dir;
  std::string listen = "127.0.0.1:7117";   // Port 0: any free one.
  std::string metrics = "127.0.0.1:7118";  // Empty: no metrics endpoint.
  int64_t heartbeat_ms = 1'000;
  int64_t lease_ms = 10'000;
  int64_t answer_grace_ms = 300'000;  // FleetOptions
  size_t max_streams = 16'384;        // Of WatchJob and StreamLogs, all clients together.
  bool insecure = false;              // Allows addresses beyond loopback without TLS, and then without tokens.
  ServerTls tls;                      // Of `listen`.
  bool require_tokens = false;        // Always on for addresses beyond loopback, unless `insecure`.
  CallRate call_rate;                 // Of each token.
  bool new_admin_token = false;       // Writes STATE/admin.token anew.
  int64_t series_grace_ms = 600'000;  // How long metrics of an ended job stay.
  const Clock* clock = &SystemClock();
};

// Members are in the order in which they need each other; they are destroyed from the last to the first.
class CoordinatorServer {
 public:
  // Ready when it returns: the address file is written, unless the disk is full; then it follows as soon as there is
  // room. INVALID_ARGUMENT for options that do not go together, files of TLS that do not fit are as
  // server_credentials.h has them, FAILED_PRECONDITION if the folder or an address is taken.
  static absl::StatusOr<std::unique_ptr<CoordinatorServer>> Start(const ServerOptions& options);
  // Ends streams, finishes what runs, stops. Call Stop or destroy; from one thread.
  ~CoordinatorServer();

  const std::string& address() const { return address_; }
  const std::string& metrics_address() const { return metrics_address_; }
  // For who runs the service, on this machine: STATE/coordinator.sock. Its connections are not among those of others.
  const std::string& socket_path() const { return socket_path_; }  // Empty: the folder's name is too long for one.
  Journal& journal() { return *journal_; }

 private:
  CoordinatorServer(const ServerOptions& options, StateDirLock lock) : options_(options), lock_(std::move(lock)) {}
  absl::Status OpenStores();
  absl::Status StartGrpc();
  void AddServices(grpc::ServerBuilder& builder);
  absl::Status StartMetrics();
  absl::Status WriteAddressFile();
  v1::Info Info();

  const ServerOptions options_;
  StateDirLock lock_;
  int64_t start_unix_ms_ = 0;
  std::string address_;
  std::string metrics_address_;
  std::atomic<bool> owes_address_file_ = false;  // There was no room for it.
  std::string socket_path_;
  CoordinatorMetrics metrics_;
  std::unique_ptr<Journal> journal_;
  bool requires_tokens_ = false;
  std::unique_ptr<AccessControl> access_;
  std::unique_ptr<RateLimit> rate_;
  std::unique_ptr<TokenActions> tokens_;
  std::unique_ptr<MetricStore> store_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<HistoryKeeper> history_;
  std::unique_ptr<ControlLoop> loop_;
  std::unique_ptr<JobViews> views_;
  std::unique_ptr<JobReader> reader_;
  std::unique_ptr<QueueReader> queues_;
  std::unique_ptr<JobActions> actions_;
  std::unique_ptr<QueueActions> queue_actions_;
  std::unique_ptr<StreamHub> streams_;
  std::unique_ptr<CoordinatorService> service_;
  std::unique_ptr<WorkerGateway> gateway_;
  std::shared_ptr<StateCollector> collector_;
  std::unique_ptr<MetricsEndpoint> metrics_endpoint_;
  std::unique_ptr<grpc::Server> server_;
  // An acceptor and its guard for each entrance: the network, and the socket in the state folder.
  std::vector<std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor>> acceptors_;
  std::vector<std::unique_ptr<ConnectionGuard>> guards_;
};

}  // namespace ridgeline
