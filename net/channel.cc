// SPDX-License-Identifier: Apache-2.0
#include "net/channel.h"

#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/support/client_interceptor.h>

#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "net/certificates.h"
#include "net/endpoint.h"
#include "net/tokens.h"

namespace ridgeline {
namespace {

using grpc::experimental::InterceptionHookPoints;

constexpr int kMaxAnswerBytes = 64 << 20;
constexpr unsigned int kRefreshSeconds = 10;

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);  // What one try may take, TLS included.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  // A web proxy in the environment must not stand between a caller and a coordinator.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  return arguments;
}

// The token as it is now. Thread-safe.
class TokenSource {
 public:
  explicit TokenSource(const CallerCredentials& credentials)
      : file_(credentials.token_file), token_(credentials.token) {}

  absl::Status Check() {
    if (!file_.empty()) {
      ASSIGN_OR_RETURN(token_, ReadTokenFile(file_));
    } else if (!token_.empty() && !HasTokenForm(token_)) {
      return absl::InvalidArgumentError("RIDGELINE_TOKEN does not hold a token");
    }
    return absl::OkStatus();
  }

  // While the file is being replaced or cannot be read, the last one.
  std::string Current() {
    std::lock_guard lock(mutex_);
    if (file_.empty()) return token_;
    if (absl::StatusOr<std::string> token = ReadTokenFile(file_); token.ok()) token_ = *std::move(token);
    return token_;
  }

 private:
  const std::string file_;
  std::mutex mutex_;
  std::string token_;
};

class TokenInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit TokenInterceptor(std::shared_ptr<TokenSource> source) : source_(std::move(source)) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA))
      methods->GetSendInitialMetadata()->insert({kAuthorizationKey, std::string(kBearerPrefix) + source_->Current()});
    methods->Proceed();
  }

 private:
  const std::shared_ptr<TokenSource> source_;
};

class TokenInterceptorFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenInterceptorFactory(std::shared_ptr<TokenSource> source) : source_(std::move(source)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo*) override {
    return new TokenInterceptor(source_);
  }

 private:
  const std::shared_ptr<TokenSource> source_;
};

absl::StatusOr<bool> IsThisMachine(const std::string& address) {
  if (address.starts_with("unix:")) return true;
  ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(address, "the coordinator's address"));
  if (endpoint.port == 0)
    return absl::InvalidArgumentError(fmt::format("the coordinator's address '{}' has no port to call", address));
  return IsLoopback(endpoint.host);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Secured(const CallerCredentials& credentials) {
  if (credentials.tls_cert.empty() != credentials.tls_key.empty())
    return absl::InvalidArgumentError("--tls-cert and --tls-key belong together");
  if (credentials.tls_ca.empty()) {
    if (credentials.tls_cert.empty()) return grpc::InsecureChannelCredentials();
    return absl::InvalidArgumentError("--tls-cert wants --tls-ca, the CA of the coordinator's certificate");
  }
  RETURN_IF_ERROR(CheckCertificateFile(credentials.tls_ca));
  if (!credentials.tls_cert.empty()) RETURN_IF_ERROR(CheckKeyPair(credentials.tls_cert, credentials.tls_key).status());
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      credentials.tls_key, credentials.tls_cert, credentials.tls_ca, kRefreshSeconds));
  options.watch_root_certs();
  if (!credentials.tls_cert.empty()) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

void TakeFromEnvironment(const char* name, std::string* value) {
  const char* found = value->empty() ? std::getenv(name) : nullptr;
  if (found != nullptr) *value = found;
}

}  // namespace

CallerCredentials WithEnvironment(CallerCredentials given) {
  TakeFromEnvironment("RIDGELINE_TLS_CA", &given.tls_ca);
  TakeFromEnvironment("RIDGELINE_TLS_CERT", &given.tls_cert);
  TakeFromEnvironment("RIDGELINE_TLS_KEY", &given.tls_key);
  if (given.token.empty()) TakeFromEnvironment("RIDGELINE_TOKEN_FILE", &given.token_file);
  if (given.token_file.empty()) TakeFromEnvironment("RIDGELINE_TOKEN", &given.token);
  return given;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const CallerCredentials& credentials) {
  ASSIGN_OR_RETURN(const bool is_this_machine, IsThisMachine(address));
  const bool is_socket = address.starts_with("unix:");
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> secured,
                   Secured(is_socket ? CallerCredentials{} : credentials));
  if (credentials.token_file.empty() && credentials.token.empty())
    return grpc::CreateCustomChannel(address, secured, Arguments());
  if (credentials.tls_ca.empty() && !is_this_machine) {
    return absl::PermissionDeniedError(fmt::format(
        "the token would go to {} for everybody on the way to read; name the coordinator's CA with --tls-ca or "
        "RIDGELINE_TLS_CA",
        address));
  }
  const auto source = std::make_shared<TokenSource>(credentials);
  RETURN_IF_ERROR(source->Check());
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<TokenInterceptorFactory>(source));
  return grpc::experimental::CreateCustomChannelWithInterceptors(address, secured, Arguments(),
                                                                 std::move(interceptors));
}

}  // namespace ridgeline
