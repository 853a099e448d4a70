// SPDX-License-Identifier: Apache-2.0
// The whole coordinator in one object: stores, gateway, scheduler, gRPC server and metrics endpoint.
#pragma once

#include <grpcpp/server.h>
#include <prometheus/exposer.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "common/clock.h"
#include "coordinator/control/control_loop.h"
#include "coordinator/rpc/coordinator_service.h"
#include "coordinator/rpc/worker_gateway.h"
#include "coordinator/state/state_dir.h"
#include "coordinator/telemetry/state_collector.h"

namespace ridgeline {

struct ServerOptions {
  std::string state_dir;
  std::string listen = "127.0.0.1:7117";   // Port 0: any free one.
  std::string metrics = "127.0.0.1:7118";  // Empty: no metrics endpoint.
  int64_t heartbeat_ms = 1'000;
  int64_t lease_ms = 10'000;
  bool insecure = false;              // Allows addresses beyond loopback.
  int64_t series_grace_ms = 600'000;  // How long metrics of an ended job stay.
  const Clock* clock = &SystemClock();
};

// Members are in the order in which they need each other; they are destroyed from the last to the first.
class CoordinatorServer {
 public:
  // Ready when it returns: the address file is written, unless the disk is full; then it follows as soon as there is
  // room. FAILED_PRECONDITION if the folder or an address is taken.
  static absl::StatusOr<std::unique_ptr<CoordinatorServer>> Start(const ServerOptions& options);
  // Ends streams, finishes what runs, stops. Call Stop or destroy; from one thread.
  ~CoordinatorServer();

  const std::string& address() const { return address_; }
  const std::string& metrics_address() const { return metrics_address_; }
  Journal& journal() { return *journal_; }

 private:
  CoordinatorServer(const ServerOptions& options, StateDirLock lock) : options_(options), lock_(std::move(lock)) {}
  absl::Status OpenStores();
  absl::Status StartGrpc();
  absl::Status StartMetrics();
  absl::Status WriteAddressFile();
  v1::Info Info();

  const ServerOptions options_;
  StateDirLock lock_;
  int64_t start_unix_ms_ = 0;
  std::string address_;
  std::string metrics_address_;
  std::atomic<bool> owes_address_file_ = false;  // There was no room for it.
  CoordinatorMetrics metrics_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<MetricStore> store_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<ControlLoop> loop_;
  std::unique_ptr<JobViews> views_;
  std::unique_ptr<JobReader> reader_;
  std::unique_ptr<QueueReader> queues_;
  std::unique_ptr<JobActions> actions_;
  std::unique_ptr<QueueActions> queue_actions_;
  std::unique_ptr<CoordinatorService> service_;
  std::unique_ptr<WorkerGateway> gateway_;
  std::shared_ptr<StateCollector> collector_;
  std::unique_ptr<prometheus::Exposer> exposer_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace ridgeline
