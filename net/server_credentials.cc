// SPDX-License-Identifier: Apache-2.0
#include "net/server_credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "common/status_macros.h"
#include "net/certificates.h"

namespace ridgeline {

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(const ServerTls& tls) {
  if (tls.cert.empty() != tls.key.empty())
    return absl::InvalidArgumentError("--tls-cert and --tls-key belong together");
  if (!tls.is_on()) {
    if (tls.client_ca.empty()) return grpc::InsecureServerCredentials();
    return absl::InvalidArgumentError("--tls-client-ca wants --tls-cert and --tls-key");
  }
  RETURN_IF_ERROR(CheckKeyPair(tls.cert, tls.key).status());
  if (!tls.client_ca.empty()) RETURN_IF_ERROR(CheckCertificateFile(tls.client_ca));
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(tls.key, tls.cert, tls.client_ca,
                                                                           tls.refresh_seconds));
  options.watch_identity_key_cert_pairs();
  if (!tls.client_ca.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace ridgeline
