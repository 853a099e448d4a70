#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything without LibTorch under sanitizers: tools/sanitize.sh JOBS [asan|tsan...]
#   asan   clang: addresses, leaks, undefined behaviour, and what the annotations of locks say (-Wthread-safety) as
#          errors
#   tsan   GCC: data races in the rooms that have threads (CMakePresets.json names them)
# Unit tests side by side, then those that start processes. Every report fails its test: cmake/Sanitize.cmake.
set -uo pipefail
cd "$(dirname "$0")/.."
jobs=$1; shift
presets=("${@:-asan}"); [ $# -gt 0 ] || presets=(asan tsan)
status=0

for preset in "${presets[@]}"; do
  echo "== $preset"
  build=build-$preset
  cmake --preset "$preset" > "$build-configure.log" 2>&1 || { cat "$build-configure.log"; status=1; continue; }
  rm -f "$build-configure.log"
  tools/build.sh "$build" "$jobs" all || { status=1; continue; }
  ctest --preset "$preset" -L unit -j "$jobs" || status=1
  ctest --preset "$preset" -L 'cluster|fault' || status=1
done
exit "$status"
