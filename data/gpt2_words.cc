// SPDX-License-Identifier: Apache-2.0
#include "data/gpt2_words.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstdlib>

#include "fmt/format.h"

namespace ridgeline {
namespace {

// PCRE2's own \s also takes U+180E, which is no White_Space: the set is spelled out.
#define RIDGELINE_SPACE \
  R"(\x{9}-\x{D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})"
constexpr char kWord[] = "'(?:[stmd]|re|ve|ll)| ?\\p{L}+| ?\\p{N}+| ?[^" RIDGELINE_SPACE
                         "\\p{L}\\p{N}]+"
                         // Of several spaces before a word the last one belongs to the word.
                         "|[" RIDGELINE_SPACE "]+(?![^" RIDGELINE_SPACE "])|[" RIDGELINE_SPACE "]+";
#undef RIDGELINE_SPACE

const pcre2_code* CompiledWord() {
  static const pcre2_code* const code = [] {
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code* compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(kWord), PCRE2_ZERO_TERMINATED,
                                         PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &offset, nullptr);
    if (compiled == nullptr) std::abort();            // The pattern above is wrong, or PCRE2 was built without Unicode.
    pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);  // Where it cannot, pcre2_match interprets.
    return compiled;
  }();
  return code;
}

}  // namespace

struct Gpt2Words::Match {
  pcre2_match_data* data = pcre2_match_data_create_from_pattern(CompiledWord(), nullptr);
  ~Match() { pcre2_match_data_free(data); }
};

Gpt2Words::Gpt2Words() : match_(std::make_unique<Match>()) {}
Gpt2Words::~Gpt2Words() = default;

absl::StatusOr<size_t> Gpt2Words::EndOfWord(std::string_view text, size_t begin) {
  const int matched = pcre2_match(CompiledWord(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), begin,
                                  PCRE2_NO_UTF_CHECK, match_->data, nullptr);
  if (matched < 0)
    return absl::InternalError(fmt::format("PCRE2 found no word at byte offset {} (its error {})", begin, matched));
  return pcre2_get_ovector_pointer(match_->data)[1];
}

bool IsUnicodeSpace(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

}  // namespace ridgeline
