// SPDX-License-Identifier: Apache-2.0
// What a server shows and asks for when a caller connects: nothing, its certificate, or both sides' certificates.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace ridgeline {

struct ServerTls {
  std::string cert;       // PEM files. Empty: no TLS.
  std::string key;        // Readable by owner and group at most.
  std::string client_ca;  // Callers must show a certificate of this CA. Empty: they need none.
  unsigned int refresh_seconds = 10;

  bool is_on() const { return !cert.empty(); }
};

// Files that change are taken anew within `refresh_seconds`, for connections that are made from then on; a key that
// does not fit its certificate yet is passed over. Errors name the file and the remedy if they do not fit now.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(const ServerTls& tls);

}  // namespace ridgeline
