// SPDX-License-Identifier: Apache-2.0
// `ridgeline admin cert`: a private CA in a folder, and certificates that it signs. Asks no coordinator.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "cli/shared/exit_code.h"
#include "cli/shared/job_text.h"
#include "cli/verbs/admin.h"
#include "common/file.h"
#include "common/home.h"
#include "common/number_option.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "net/certificates.h"
#include "net/secret_file.h"

namespace ridgeline {
namespace {

constexpr int kMaxDays = 36'500;
constexpr size_t kMaxPemBytes = 1 << 20;

struct CertOptions {
  std::string dir;
  std::string name;
  std::vector<std::string> hosts;
  std::string file;
  int days = 365;
};

struct Paths {
  std::string cert, key;
};
Paths PathsOf(const CertOptions& options, const std::string& name) {
  const std::string stem = ExpandTilde(options.dir) + "/" + name;
  return {stem + ".crt", stem + ".key"};
}

absl::Status CheckFileName(const std::string& name) {
  const bool has_form = !name.empty() && name.find_first_not_of(
                                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789_.-") == std::string::npos;
  if (has_form && name.front() != '.' && name != "ca") return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("'{}' cannot be a certificate's name: letters, digits and _ . -, and not ca", name));
}

// The key first: a server that looks in between passes over the pair.
absl::Status Write(const Paths& paths, const KeyAndCertificate& pair) {
  RETURN_IF_ERROR(WriteSecretFile(paths.key, pair.key));
  RETURN_IF_ERROR(WriteFileAtomically(paths.cert, pair.certificate));
  PrintOut("{}\n{}\n", paths.cert, paths.key);
  return absl::OkStatus();
}

absl::StatusOr<int> RunCa(const Session&, const CertOptions& options) {
  const Paths paths = PathsOf(options, "ca");
  RETURN_IF_ERROR(MakeDirectories(ExpandTilde(options.dir)));
  for (const std::string& path : {paths.cert, paths.key}) {
    if (std::filesystem::exists(path))
      return absl::AlreadyExistsError(
          fmt::format("{} is there, and what it signed would be worth nothing with a new "
                      "one; name another --dir",
                      path));
  }
  ASSIGN_OR_RETURN(const KeyAndCertificate authority, MakeAuthority(options.name, options.days));
  RETURN_IF_ERROR(Write(paths, authority));
  return kExitOk;
}

absl::StatusOr<int> Issue(const CertOptions& options, CertificateUse use) {
  RETURN_IF_ERROR(CheckFileName(options.name));
  const Paths ca = PathsOf(options, "ca");
  KeyAndCertificate authority;
  ASSIGN_OR_RETURN(authority.certificate, ReadFile(ca.cert, kMaxPemBytes));
  ASSIGN_OR_RETURN(authority.key, ReadSecretFile(ca.key, kMaxPemBytes));
  ASSIGN_OR_RETURN(const KeyAndCertificate issued,
                   IssueCertificate(authority, {use, options.name, options.hosts, options.days}));
  RETURN_IF_ERROR(Write(PathsOf(options, options.name), issued));
  return kExitOk;
}

absl::StatusOr<int> RunServer(const Session&, const CertOptions& options) {
  return Issue(options, CertificateUse::kServer);
}

absl::StatusOr<int> RunClient(const Session&, const CertOptions& options) {
  return Issue(options, CertificateUse::kClient);
}

absl::StatusOr<int> RunShow(const Session&, const CertOptions& options) {
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(ExpandTilde(options.file), kMaxPemBytes));
  ASSIGN_OR_RETURN(const CertificateInfo info, DescribeCertificate(pem));
  PrintOut("name     {}{}\n", info.name, info.is_authority ? " (a CA)" : "");
  if (!info.hosts.empty()) PrintOut("hosts    {}\n", fmt::join(info.hosts, " "));
  PrintOut("expires  {}\n", TimeText(info.not_after_unix_s * 1000));
  return kExitOk;
}

CLI::App* AddIssuingVerb(CLI::App* cert, const std::string& name, const std::string& help, const std::string& example,
                         const std::shared_ptr<CertOptions>& options) {
  CLI::App* verb = AddVerb(cert, name, help, example);
  verb->add_option("--dir", options->dir, "Folder of the CA (ca.crt and ca.key), where new files go, too")
      ->required()
      ->type_name("DIR");
  verb->add_option("--days", options->days, fmt::format("How long it is good (default {})", options->days))
      ->check(IntegerFrom(1, kMaxDays))
      ->type_name("NUMBER");
  return verb;
}

void AddCaVerb(CLI::App* cert, Session* session) {
  auto options = std::make_shared<CertOptions>();
  options->name = "Ridgeline CA";
  options->days = 3'650;
  CLI::App* ca = AddIssuingVerb(cert, "ca", "Make a CA of your own; keep its key where few can read it",
                                "ridgeline admin cert ca --dir pki", options);
  ca->add_option("--name", options->name, "What its certificate says (default: Ridgeline CA)")->type_name("TEXT");
  SetAction(ca, session, options, RunCa);
}

void AddServerVerb(CLI::App* cert, Session* session) {
  auto options = std::make_shared<CertOptions>();
  CLI::App* server =
      AddIssuingVerb(cert, "server", "Make a certificate for a coordinator; again before it expires",
                     "ridgeline admin cert server coordinator --dir pki --host ridge.example --host 10.0.0.5", options);
  server->add_option("name", options->name, "Its name, and that of its files")->required()->type_name("NAME");
  server->add_option("--host", options->hosts, "Name or address that callers reach it by; repeatable")
      ->required()
      ->allow_extra_args(false)
      ->type_name("HOST");
  SetAction(server, session, options, RunServer);
}

void AddClientVerb(CLI::App* cert, Session* session) {
  auto options = std::make_shared<CertOptions>();
  CLI::App* client =
      AddIssuingVerb(cert, "client", "Make a certificate for a caller, where --tls-client-ca asks for it",
                     "ridgeline admin cert client alice --dir pki --days 90", options);
  client->add_option("name", options->name, "Its name, and that of its files")->required()->type_name("NAME");
  SetAction(client, session, options, RunClient);
}

}  // namespace

void AddAdminCertVerbs(CLI::App* admin, Session* session) {
  CLI::App* cert = AddVerb(admin, "cert", "Certificates", "ridgeline admin cert show pki/coordinator.crt");
  cert->require_subcommand(1);
  AddCaVerb(cert, session);
  AddServerVerb(cert, session);
  AddClientVerb(cert, session);
  auto options = std::make_shared<CertOptions>();
  CLI::App* show = AddVerb(cert, "show", "Whose it is, for which hosts, and until when",
                           "ridgeline admin cert show pki/coordinator.crt");
  show->add_option("file", options->file, "A certificate (PEM)")->required()->type_name("FILE");
  SetAction(show, session, options, RunShow);
}

}  // namespace ridgeline
