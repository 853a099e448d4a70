// SPDX-License-Identifier: Apache-2.0
#include "net/certificates.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "absl/strings/str_join.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "net/endpoint.h"
#include "net/secret_file.h"

namespace ridgeline {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;
constexpr long kSecondsBefore = 300;  // Clocks of machines differ.
constexpr size_t kMaxNameBytes = 64;
constexpr int kMaxDays = 36'500;

template <auto Free>
struct Freed {
  template <typename Object>
  void operator()(Object* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

absl::Status OpenSslError(const char* what) {
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  ERR_clear_error();
  return absl::InternalError(fmt::format("{}: {}", what, text));
}

std::string ContentOf(BIO* bio) {
  char* data = nullptr;
  const long count = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(count));
}

Certificate ReadCertificate(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return certificate;
}

// An encrypted key is refused: nobody is there to type a password.
Key ReadKey(const std::string& pem) {
  const auto no_password = [](char*, int, int, void*) { return -1; };
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  return key;
}

absl::StatusOr<KeyAndCertificate> ToPem(EVP_PKEY* key, X509* certificate) {
  const Bio key_bio(BIO_new(BIO_s_mem())), certificate_bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(certificate_bio.get(), certificate) != 1) {
    return OpenSslError("writing a certificate");
  }
  return KeyAndCertificate{ContentOf(key_bio.get()), ContentOf(certificate_bio.get())};
}

absl::Status SetNameAndTimes(X509* certificate, const std::string& name, time_t not_after) {
  unsigned char serial[16];
  if (RAND_bytes(serial, sizeof serial) != 1) return OpenSslError("choosing a serial number");
  serial[0] &= 0x7f;  // Positive.
  const std::unique_ptr<BIGNUM, Freed<BN_free>> number(BN_bin2bn(serial, sizeof serial, nullptr));
  X509_NAME* subject = X509_get_subject_name(certificate);
  const bool done =
      X509_set_version(certificate, 2) == 1 &&  // Counted from 0: version 3.
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr &&
      X509_gmtime_adj(X509_getm_notBefore(certificate), -kSecondsBefore) != nullptr &&
      ASN1_TIME_set(X509_getm_notAfter(certificate), not_after) != nullptr &&
      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.data()),
                                 static_cast<int>(name.size()), -1, 0) == 1;
  return done ? absl::OkStatus() : OpenSslError("naming a certificate");
}

absl::Status AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1)
    return OpenSslError("describing a certificate");
  return absl::OkStatus();
}

bool IsAddress(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

absl::StatusOr<std::string> AlternativeNames(const std::vector<std::string>& hosts) {
  std::vector<std::string> names;
  for (const std::string& host : hosts) {
    // What an endpoint can have; and no comma, which OpenSSL would read as the next name.
    const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
    const bool is_wildcard = host.starts_with("*.");
    RETURN_IF_ERROR(ParseEndpoint((is_wildcard ? host.substr(2) : shown) + ":1", "host").status());
    names.push_back((IsAddress(host) ? "IP:" : "DNS:") + host);
  }
  return absl::StrJoin(names, ",");
}

absl::Status CheckNameAndDays(const std::string& name, int days) {
  if (name.empty() || name.size() > kMaxNameBytes)
    return absl::InvalidArgumentError(fmt::format("a certificate's name has 1 to {} bytes", kMaxNameBytes));
  if (days < 1 || days > kMaxDays)
    return absl::InvalidArgumentError(fmt::format("a certificate is valid for 1 to {} days", kMaxDays));
  return absl::OkStatus();
}

time_t UnixSeconds(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

time_t AfterDays(int days) { return std::time(nullptr) + time_t{days} * 86'400; }

absl::StatusOr<Key> NewKey() {
  Key key(EVP_EC_gen("P-256"));
  if (key == nullptr) return OpenSslError("making a key");
  return key;
}

std::string TextOf(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof text);
  return text;
}

std::vector<std::string> HostsOf(X509* certificate) {
  std::vector<std::string> hosts;
  const Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_IPADD) hosts.push_back(TextOf(name->d.iPAddress));
    if (name->type != GEN_DNS) continue;
    const ASN1_STRING* dns = name->d.dNSName;
    hosts.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(dns)),
                       static_cast<size_t>(ASN1_STRING_length(dns)));
  }
  return hosts;
}

}  // namespace

absl::StatusOr<KeyAndCertificate> MakeAuthority(const std::string& name, int days) {
  RETURN_IF_ERROR(CheckNameAndDays(name, days));
  ASSIGN_OR_RETURN(const Key key, NewKey());
  const Certificate certificate(X509_new());
  X509* const raw = certificate.get();
  RETURN_IF_ERROR(SetNameAndTimes(raw, name, AfterDays(days)));
  if (X509_set_issuer_name(raw, X509_get_subject_name(raw)) != 1 || X509_set_pubkey(raw, key.get()) != 1)
    return OpenSslError("making a CA");
  RETURN_IF_ERROR(AddExtension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  RETURN_IF_ERROR(AddExtension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign"));
  RETURN_IF_ERROR(AddExtension(raw, raw, NID_subject_key_identifier, "hash"));
  if (X509_sign(raw, key.get(), EVP_sha256()) == 0) return OpenSslError("signing a CA");
  return ToPem(key.get(), raw);
}

absl::StatusOr<KeyAndCertificate> IssueCertificate(const KeyAndCertificate& authority,
                                                   const CertificateRequest& request) {
  RETURN_IF_ERROR(CheckNameAndDays(request.name, request.days));
  const bool is_server = request.use == CertificateUse::kServer;
  if (is_server && request.hosts.empty())
    return absl::InvalidArgumentError("a server's certificate needs the names or addresses that callers reach it by");
  ASSIGN_OR_RETURN(const std::string names, AlternativeNames(request.hosts));
  const Certificate issuer = ReadCertificate(authority.certificate);
  const Key issuer_key = ReadKey(authority.key);
  if (issuer == nullptr || issuer_key == nullptr || X509_check_private_key(issuer.get(), issuer_key.get()) != 1 ||
      X509_check_ca(issuer.get()) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("certificate and key are not those of a CA");
  }
  ASSIGN_OR_RETURN(const Key key, NewKey());
  const Certificate certificate(X509_new());
  X509* const raw = certificate.get();
  const time_t not_after = std::min(AfterDays(request.days), UnixSeconds(X509_get0_notAfter(issuer.get())));
  RETURN_IF_ERROR(SetNameAndTimes(raw, request.name, not_after));
  if (X509_set_issuer_name(raw, X509_get_subject_name(issuer.get())) != 1 || X509_set_pubkey(raw, key.get()) != 1)
    return OpenSslError("making a certificate");
  RETURN_IF_ERROR(AddExtension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE"));
  RETURN_IF_ERROR(AddExtension(raw, issuer.get(), NID_key_usage, "critical,digitalSignature"));
  RETURN_IF_ERROR(AddExtension(raw, issuer.get(), NID_ext_key_usage, is_server ? "serverAuth" : "clientAuth"));
  RETURN_IF_ERROR(AddExtension(raw, issuer.get(), NID_authority_key_identifier, "keyid"));
  if (!names.empty()) RETURN_IF_ERROR(AddExtension(raw, issuer.get(), NID_subject_alt_name, names));
  if (X509_sign(raw, issuer_key.get(), EVP_sha256()) == 0) return OpenSslError("signing a certificate");
  return ToPem(key.get(), raw);
}

absl::StatusOr<CertificateInfo> DescribeCertificate(const std::string& pem) {
  const Certificate certificate = ReadCertificate(pem);
  if (certificate == nullptr) return absl::InvalidArgumentError("there is no certificate (PEM)");
  CertificateInfo info;
  char name[kMaxNameBytes + 1] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name);
  info.name = name;
  info.hosts = HostsOf(certificate.get());
  info.not_after_unix_s = UnixSeconds(X509_get0_notAfter(certificate.get()));
  info.is_authority = X509_check_ca(certificate.get()) == 1;
  return info;
}

absl::StatusOr<CertificateInfo> CheckKeyPair(const std::string& cert_path, const std::string& key_path) {
  RETURN_IF_ERROR(CheckCertificateFile(cert_path));
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(cert_path, kMaxPemBytes));
  ASSIGN_OR_RETURN(const std::string key_pem, ReadSecretFile(key_path, kMaxPemBytes));
  const Key key = ReadKey(key_pem);
  if (key == nullptr)
    return absl::InvalidArgumentError(fmt::format("{} does not hold a private key (PEM, not encrypted)", key_path));
  const bool fits = X509_check_private_key(ReadCertificate(pem).get(), key.get()) == 1;
  ERR_clear_error();
  if (!fits)
    return absl::FailedPreconditionError(fmt::format("{} is not the key of the certificate {}", key_path, cert_path));
  ASSIGN_OR_RETURN(const CertificateInfo info, DescribeCertificate(pem));
  if (info.not_after_unix_s > std::time(nullptr)) return info;
  return absl::FailedPreconditionError(
      fmt::format("the certificate {} has expired; `ridgeline admin cert server` makes a new one", cert_path));
}

absl::Status CheckCertificateFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(path, kMaxPemBytes));
  if (ReadCertificate(pem) != nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{} does not hold a certificate (PEM)", path));
}

}  // namespace ridgeline
