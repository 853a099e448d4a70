// SPDX-License-Identifier: Apache-2.0
// `ridgeline admin token`: who may call, as what, and for how long.
#include <fmt/format.h>

#include "cli/shared/admin_text.h"
#include "cli/shared/exit_code.h"
#include "cli/shared/parse.h"
#include "cli/verbs/admin.h"
#include "common/home.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "net/secret_file.h"

namespace ridgeline {
namespace {

struct TokenOptions {
  std::string name;
  std::string role;
  std::string lifetime;
  std::string overlap = "1h";
  bool is_single_use = false;
  std::string out;
  OutputFormat format = OutputFormat::kTable;
};

absl::StatusOr<int64_t> SecondsOf(const std::string& text) {
  if (text.empty()) return 0;
  ASSIGN_OR_RETURN(const std::chrono::milliseconds duration, ParseDuration(text));
  return std::chrono::ceil<std::chrono::seconds>(duration).count();
}

// The secret goes into a file that only its owner reads, else to standard output; it is never shown again.
absl::Status Hand(const TokenOptions& options, v1::CreateTokenResponse created) {
  if (!options.out.empty()) {
    RETURN_IF_ERROR(WriteSecretFile(ExpandTilde(options.out), created.secret() + "\n"));
    PrintErr("ridgeline: the token '{}' is in {}\n", created.token().name(), options.out);
    created.clear_secret();
  }
  if (options.format == OutputFormat::kName) {
    PrintOut("{}\n", created.token().name());
  } else if (options.format == OutputFormat::kTable) {
    if (!created.secret().empty()) PrintOut("{}\n", created.secret());
    if (!created.secret().empty()) PrintErr("ridgeline: keep it now: nobody can show it again\n");
  } else {
    ASSIGN_OR_RETURN(const std::string text, FormatMessage(created, options.format));
    WriteOut(text);
  }
  return absl::OkStatus();
}

absl::StatusOr<int> Make(const Session& session, const TokenOptions& options, v1::CreateTokenRequest request) {
  if (options.format == OutputFormat::kName && options.out.empty())
    return absl::InvalidArgumentError("-o name does not show the token; say with --out where it goes");
  request.set_name(options.name);
  ASSIGN_OR_RETURN(const int64_t lifetime_seconds, SecondsOf(options.lifetime));
  request.set_lifetime_seconds(lifetime_seconds);
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(v1::CreateTokenResponse created, client.CreateToken(request));
  RETURN_IF_ERROR(Hand(options, std::move(created)));
  return kExitOk;
}

absl::StatusOr<int> RunCreate(const Session& session, const TokenOptions& options) {
  v1::CreateTokenRequest request;
  request.set_role(options.role);
  request.set_is_single_use(options.is_single_use);
  return Make(session, options, request);
}

absl::StatusOr<int> RunRotate(const Session& session, const TokenOptions& options) {
  v1::CreateTokenRequest request;
  request.set_rotate(true);
  ASSIGN_OR_RETURN(const int64_t overlap_seconds, SecondsOf(options.overlap));
  request.set_overlap_seconds(overlap_seconds);
  return Make(session, options, request);
}

absl::Status Print(const v1::ListTokensResponse& tokens, OutputFormat format) {
  if (format == OutputFormat::kName) {
    for (const v1::Token& token : tokens.tokens()) PrintOut("{}\n", token.name());
  } else if (format == OutputFormat::kTable) {
    WriteOut(TokenTable(tokens, SystemClock().WallUnixMs(), StyleOf(stdout)));
  } else {
    ASSIGN_OR_RETURN(const std::string text, FormatMessage(tokens, format));
    WriteOut(text);
  }
  return absl::OkStatus();
}

absl::StatusOr<int> RunList(const Session& session, const TokenOptions& options) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(const v1::ListTokensResponse tokens, client.ListTokens());
  RETURN_IF_ERROR(Print(tokens, options.format));
  return kExitOk;
}

absl::StatusOr<int> RunRevoke(const Session& session, const TokenOptions& options) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  v1::ListTokensResponse tokens;
  ASSIGN_OR_RETURN(*tokens.add_tokens(), client.RevokeToken(options.name));
  RETURN_IF_ERROR(Print(tokens, options.format));
  return kExitOk;
}

CLI::App* AddNamedVerb(CLI::App* token, const std::string& name, const std::string& help, const std::string& example,
                       const std::shared_ptr<TokenOptions>& options) {
  CLI::App* verb = AddVerb(token, name, help, example);
  verb->add_option("name", options->name, "Whose it is: the audit and `list` show it")->required()->type_name("NAME");
  AddOutputOption(verb, &options->format);
  return verb;
}

void AddSecretOptions(CLI::App* verb, const std::shared_ptr<TokenOptions>& options) {
  verb->add_option("--lifetime", options->lifetime, "How long it is good, as 90d or 12h (default: until it is revoked)")
      ->type_name("DURATION");
  verb->add_option("--out", options->out, "Write the token to this file, of mode 0600, and not to standard output")
      ->type_name("FILE");
}

void AddCreateVerb(CLI::App* token, Session* session) {
  auto options = std::make_shared<TokenOptions>();
  CLI::App* create = AddNamedVerb(token, "create", "Make a token; it is shown once",
                                  "ridgeline admin token create alice --role submitter --out alice.token", options);
  create->add_option("--role", options->role, "viewer, submitter, admin or worker")
      ->required()
      ->check(CLI::IsMember({"viewer", "submitter", "admin", "worker"}))
      ->type_name("ROLE");
  create->add_flag("--single-use", options->is_single_use, "Of a worker: good for the first group that joins with it");
  AddSecretOptions(create, options);
  SetAction(create, session, options, RunCreate);
}

void AddRotateVerb(CLI::App* token, Session* session) {
  auto options = std::make_shared<TokenOptions>();
  CLI::App* rotate = AddNamedVerb(token, "rotate", "Give a token a new secret; the old one is good for a while",
                                  "ridgeline admin token rotate alice --overlap 2d --out alice.token", options);
  rotate
      ->add_option("--overlap", options->overlap, "How long the old secret is still good (default 1h); 0: it ends now")
      ->type_name("DURATION");
  AddSecretOptions(rotate, options);
  SetAction(rotate, session, options, RunRotate);
}

}  // namespace

void AddAdminTokenVerbs(CLI::App* admin, Session* session) {
  CLI::App* token =
      AddVerb(admin, "token", "Tokens, where the coordinator asks for them", "ridgeline admin token list");
  token->require_subcommand(1);
  AddCreateVerb(token, session);
  auto list_options = std::make_shared<TokenOptions>();
  CLI::App* list = AddVerb(token, "list", "Names, roles, and until when", "ridgeline admin token list -o json");
  AddOutputOption(list, &list_options->format);
  SetAction(list, session, list_options, RunList);
  AddRotateVerb(token, session);
  auto revoke_options = std::make_shared<TokenOptions>();
  CLI::App* revoke = AddNamedVerb(token, "revoke", "End a token at once, and the streams of groups that joined with it",
                                  "ridgeline admin token revoke alice", revoke_options);
  SetAction(revoke, session, revoke_options, RunRevoke);
}

}  // namespace ridgeline
