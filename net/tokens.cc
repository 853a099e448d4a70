// SPDX-License-Identifier: Apache-2.0
#include "net/tokens.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>

#include "common/sha256.h"
#include "common/status_macros.h"
#include "net/secret_file.h"

namespace ridgeline {
namespace {

constexpr size_t kTokenBytes = 32;
constexpr size_t kTokenDigits = 43;  // Of base64url, without padding.
constexpr size_t kMaxTokenFileBytes = 4'096;
constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string Base64Url(const unsigned char* bytes, size_t count) {
  std::string text;
  unsigned int bits = 0;
  int bit_count = 0;
  for (size_t i = 0; i < count; ++i) {
    bits = bits << 8 | bytes[i];
    for (bit_count += 8; bit_count >= 6; bit_count -= 6) text += kDigits[bits >> (bit_count - 6) & 63];
    bits &= (1U << bit_count) - 1;
  }
  if (bit_count > 0) text += kDigits[bits << (6 - bit_count) & 63];
  return text;
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

absl::StatusOr<std::string> MakeToken() {
  unsigned char bytes[kTokenBytes];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return absl::InternalError("the system gives no random numbers");
  std::string token = std::string(kTokenPrefix) + Base64Url(bytes, sizeof bytes);
  OPENSSL_cleanse(bytes, sizeof bytes);
  return token;
}

bool HasTokenForm(std::string_view text) {
  if (text.size() != kTokenPrefix.size() + kTokenDigits || !text.starts_with(kTokenPrefix)) return false;
  text.remove_prefix(kTokenPrefix.size());
  return std::all_of(text.begin(), text.end(), [](char c) { return kDigits.find(c) != kDigits.npos; });
}

std::string HashToken(std::string_view token) { return Sha256Hex(token); }

bool SameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

absl::StatusOr<std::string> ReadTokenFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string content, ReadSecretFile(path, kMaxTokenFileBytes));
  const std::string_view token = Trimmed(content);
  if (HasTokenForm(token)) return std::string(token);
  return absl::InvalidArgumentError(
      fmt::format("{} does not hold a token (one line, \"{}\" and {} characters, as `ridgeline admin token create` "
                  "writes it)",
                  path, kTokenPrefix, kTokenDigits));
}

}  // namespace ridgeline
