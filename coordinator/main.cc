// SPDX-License-Identifier: Apache-2.0
// The coordinator program: reads flags, starts the server, waits for a signal.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>

#include "common/failpoint.h"
#include "coordinator/rpc/server.h"

namespace {

void AddFlags(CLI::App& app, ridgeline::ServerOptions& options) {
  app.set_version_flag("--version", RIDGELINE_VERSION);
  app.add_option("--state", options.state_dir, "Folder of the journal; created if missing")->required();
  app.add_option("--listen", options.listen, "HOST:PORT for clients and workers; port 0 takes a free one")
      ->capture_default_str();
  app.add_option("--metrics", options.metrics, "HOST:PORT of the Prometheus endpoint; empty for none")
      ->capture_default_str();
  app.add_option("--heartbeat-ms", options.heartbeat_ms, "How often worker groups report")
      ->check(CLI::Range(10, 600'000))
      ->capture_default_str();
  app.add_option("--lease-ms", options.lease_ms, "Silence after which a worker group's attempt is lost")
      ->check(CLI::Range(50, 86'400'000))
      ->capture_default_str();
  app.add_option("--tls-cert", options.tls.cert, "Certificate for --listen (PEM); taken anew when it changes");
  app.add_option("--tls-key", options.tls.key, "Its private key (PEM), not readable by everybody");
  app.add_option("--tls-client-ca", options.tls.client_ca, "Callers must show a certificate of this CA (PEM)");
  app.add_flag("--require-tokens", options.require_tokens,
               "Ask every caller for a token; always on beyond this machine, unless --insecure");
  app.add_flag("--new-admin-token", options.new_admin_token, "Write STATE/admin.token anew, for who has lost theirs");
  app.add_flag("--insecure", options.insecure,
               "Allow to listen beyond this machine without TLS and tokens; of /metrics, which has neither, too");
}

}  // namespace

int main(int argc, char** argv) {
  ridgeline::ServerOptions options;
  CLI::App app("The Ridgeline coordinator: queues jobs and hands them to worker groups.");
  AddFlags(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  spdlog::set_default_logger(spdlog::stderr_color_mt("coordinator"));

  // Blocked before any thread starts, so that all of them leave the signals to sigwait.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // A file size limit shows as a write error, like a full disk.

  if (const absl::Status status = ridgeline::ArmFailpointsFromEnvironment(); !status.ok()) {
    std::cerr << "ridgeline-coordinator: RIDGELINE_FAILPOINTS: " << status.message() << "\n";
    return 2;
  }
  const auto server = ridgeline::CoordinatorServer::Start(options);
  if (!server.ok()) {
    std::cerr << "ridgeline-coordinator: " << server.status().message() << "\n";
    return absl::IsInvalidArgument(server.status()) ? 2 : 1;
  }
  const std::string& metrics = (*server)->metrics_address();
  spdlog::info("listening on {}, {}, state in {}", (*server)->address(),
               metrics.empty() ? "no metrics" : "metrics on http://" + metrics + "/metrics", options.state_dir);
  int received = 0;
  sigwait(&signals, &received);
  spdlog::info("stopping on {}", received == SIGTERM ? "SIGTERM" : "SIGINT");
  return 0;
}
