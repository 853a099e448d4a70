// SPDX-License-Identifier: Apache-2.0
// A private certificate authority: keys on P-256, certificates for servers by their names and for clients.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

struct KeyAndCertificate {
  std::string key;          // PEM, PKCS #8, not encrypted.
  std::string certificate;  // PEM
};

enum class CertificateUse { kServer, kClient };

struct CertificateRequest {
  CertificateUse use = CertificateUse::kServer;
  std::string name;                // Common name, 1 to 64 bytes.
  std::vector<std::string> hosts;  // Of a server: names and addresses that callers reach it by.
  int days = 365;                  // From now on; a certificate does not outlive its CA.
};

struct CertificateInfo {
  std::string name;                // Common name.
  std::vector<std::string> hosts;  // In the order in which the certificate has them.
  int64_t not_after_unix_s = 0;
  bool is_authority = false;
};

// A CA that may sign certificates of servers and clients and no further CA.
absl::StatusOr<KeyAndCertificate> MakeAuthority(const std::string& name, int days);
absl::StatusOr<KeyAndCertificate> IssueCertificate(const KeyAndCertificate& authority,
                                                   const CertificateRequest& request);

// The first certificate of the text.
absl::StatusOr<CertificateInfo> DescribeCertificate(const std::string& pem);

// The certificate and its key, in two files. FAILED_PRECONDITION with the remedy: the key is another certificate's, or
// the certificate has expired. PERMISSION_DENIED: everybody can read the key.
absl::StatusOr<CertificateInfo> CheckKeyPair(const std::string& cert_path, const std::string& key_path);
// A file of certificates, a CA's for instance. INVALID_ARGUMENT if it is none.
absl::Status CheckCertificateFile(const std::string& path);

}  // namespace ridgeline
