// SPDX-License-Identifier: Apache-2.0
// The one way in which programs call a coordinator: time-outs of connections, TLS, and the caller's token.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace ridgeline {

// Paths of files and where a token is from; never the token on a command line.
struct CallerCredentials {
  std::string tls_ca;      // PEM; whose certificates to trust. Empty: no TLS.
  std::string tls_cert;    // PEM; the caller's own certificate and its key, where the coordinator asks for one.
  std::string tls_key;     //
  std::string token_file;  // Read again at each call, so that a token can be changed while a program runs.
  std::string token;       // Where there is no file: from the environment.
};

// What can be read of the environment: RIDGELINE_TLS_CA, RIDGELINE_TLS_CERT, RIDGELINE_TLS_KEY, RIDGELINE_TOKEN_FILE
// and RIDGELINE_TOKEN. What `given` has goes first; a file that is given also over a token of the environment.
CallerCredentials WithEnvironment(CallerCredentials given);

// Takes keys and certificates from the files anew when they change. `address`: HOST:PORT, or "unix:PATH" on this
// machine, without TLS. INVALID_ARGUMENT if the address or a file is none, PERMISSION_DENIED if a token would go over
// an open connection to another machine, or others can read a secret.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const CallerCredentials& credentials = {});

}  // namespace ridgeline
