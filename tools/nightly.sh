#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fuzz targets, data races, addresses and locks: tools/nightly.sh JOBS FUZZ_SECONDS [MINUTES]
# With MINUTES, a part that is not likely to end in what is left of them is not begun, which is said and is no failure;
# what has begun runs to its end.
set -uo pipefail
cd "$(dirname "$0")/.."
jobs=$1 fuzz_seconds=$2 minutes=${3:-}
status=0
start=$SECONDS

# What one step of a build takes, with nothing in ccache, on one core.
seconds_a_step=12

# steps PRESET TARGET: how much is still to be built.
steps() {
  cmake --preset "$1" > "build-$1-configure.log" 2>&1 || { cat "build-$1-configure.log" >&2; return 1; }
  rm -f "build-$1-configure.log"
  ninja -C "build-$1" -n "$2" | sed -nE 's|^\[[0-9]+/([0-9]+)\].*|\1|p' | tail -1
}

# part NAME PRESET TARGET MINUTES_OF_TESTS COMMAND...
part() {
  local name=$1 preset=$2 target=$3 tests=$4 count needed left; shift 4
  count=$(steps "$preset" "$target") || { status=1; return; }
  needed=$((${count:-0} * seconds_a_step / jobs / 60 + tests))
  if [ -n "$minutes" ]; then
    left=$((minutes - (SECONDS - start) / 60))
    if [ "$needed" -gt "$left" ]; then
      echo "== $name: NOT RUN: needs about $needed minutes, and $left are left (\`make nightly\` runs all of it)"
      return
    fi
  fi
  echo "== $name: about $needed minutes"
  "$@" || { echo "== $name: FAILED"; status=1; }
}

targets=$(grep -h "^ridgeline_fuzz(" ./*/CMakeLists.txt | wc -l)
part fuzz asan fuzz $((1 + targets * fuzz_seconds / 60)) tools/fuzz.sh "$jobs" "$fuzz_seconds"
part tsan tsan all 4 tools/sanitize.sh "$jobs" tsan
part asan asan all 6 tools/sanitize.sh "$jobs" asan
exit "$status"
