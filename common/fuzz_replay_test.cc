// SPDX-License-Identifier: Apache-2.0
// Replays a fuzz target's corpus and, of every file of it, the neighbours: prefixes, changed bits, missing bytes, and
// small and huge numbers in the place of others, as lengths and offsets would be. ridgeline_fuzz() links it to the
// target.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>

#include "common/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace ridgeline {
namespace {

using namespace std::string_view_literals;

// At most this many places of a file have neighbours, evenly spread: an input may take a millisecond.
constexpr size_t kPlaces = 400;

// Little-endian numbers of 4 and 8 bytes: none, one, the largest with and without a sign; and digits of a text.
constexpr std::string_view kNumbers[] = {"\0\0\0\0"sv,
                                         "\1\0\0\0"sv,
                                         "\xFF\xFF\xFF\xFF"sv,
                                         "\xFF\xFF\xFF\x7F"sv,
                                         "\0\0\0\0\0\0\0\x80"sv,
                                         "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"sv,
                                         "99999999999999999999"sv,
                                         "-1"sv,
                                         "1e999"sv};

void Replay(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

void ReplayNeighboursAt(const std::string& input, size_t place) {
  Replay(input.substr(0, place));
  std::string changed = input;
  changed[place] = static_cast<char>(changed[place] ^ (1 << (place % 8)));
  Replay(changed);
  Replay(std::string(input).erase(place, 1));
  for (std::string_view number : kNumbers) {
    if (number.size() <= input.size() - place) Replay(std::string(input).replace(place, number.size(), number));
  }
}

TEST(FuzzReplayTest, CorpusAndNeighboursOfEachFileHoldTheInvariants) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(RIDGELINE_CORPUS)) {
    const std::string input = ReadFile(entry.path().string()).value();
    SCOPED_TRACE(entry.path());
    Replay(input);
    const size_t stride = std::max<size_t>(1, input.size() / kPlaces);
    for (size_t place = 0; place < input.size(); place += stride) ReplayNeighboursAt(input, place);
    ++files;
  }
  EXPECT_GE(files, 4);
}

}  // namespace
}  // namespace ridgeline
