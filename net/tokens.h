// SPDX-License-Identifier: Apache-2.0
// Bearer tokens: 256 random bits that a caller shows. Whoever checks them keeps only their hash.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ridgeline {

inline constexpr std::string_view kTokenPrefix = "rl_";
inline constexpr std::string_view kBearerPrefix = "Bearer ";
inline constexpr char kAuthorizationKey[] = "authorization";  // Of the metadata of a call.

// "rl_" and 43 characters of base64url. INTERNAL if the system has no randomness.
absl::StatusOr<std::string> MakeToken();

// Whether the text has the form of a token. Says nothing about whether anybody knows it.
bool HasTokenForm(std::string_view text);

// What is kept of a token: 64 hex digits. A token has too much entropy to be guessed from it, so that it needs no salt.
std::string HashToken(std::string_view token);

// Takes as long wherever two texts of one length differ.
bool SameSecret(std::string_view a, std::string_view b);

// The token in a file, without white space around it. PERMISSION_DENIED if others can read the file;
// INVALID_ARGUMENT, which does not show its content, if that is no token.
absl::StatusOr<std::string> ReadTokenFile(const std::string& path);

}  // namespace ridgeline
