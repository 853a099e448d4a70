// SPDX-License-Identifier: Apache-2.0
// Commits the fault that its argument names. Built with sanitizers only: tests see that each report ends the program
// with a failure (cmake/Sanitize.cmake).
#include <climits>
#include <cstdio>
#include <cstring>
#include <thread>

namespace {

int g_shared = 0;

// `one` is 1, which the compiler cannot know.
int Overflow(int one) { return INT_MAX + one; }

int CastOutOfRange(int one) { return static_cast<int>(1e300 * one); }

int ReadBeyond(int one) {
  char* bytes = new char[4]();
  const int read = bytes[3 + one];
  delete[] bytes;
  return read;
}

void Leak() {
  volatile char* lost = new char[64];
  lost[0] = 1;
}

void Race() {
  auto count = [] {
    for (int i = 0; i < 10'000; ++i) ++g_shared;
  };
  std::thread other(count);
  count();
  other.join();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 0;
  const int one = argc - 1;
  int result = 0;
  if (std::strcmp(argv[1], "overflow") == 0) result = Overflow(one);
  if (std::strcmp(argv[1], "cast") == 0) result = CastOutOfRange(one);
  if (std::strcmp(argv[1], "beyond") == 0) result = ReadBeyond(one);
  if (std::strcmp(argv[1], "leak") == 0) Leak();
  if (std::strcmp(argv[1], "race") == 0) Race();
  std::printf("%d, and nobody saw it\n", result);
  return 0;
}
