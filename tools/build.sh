#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds a target and shows how far it is: tools/build.sh BUILD_FOLDER JOBS TARGET
set -euo pipefail
build=$1 jobs=$2 target=$3
start=$SECONDS
export NINJA_STATUS="[build %f/%t, %es] "
if [ -t 1 ]; then
  cmake --build "$build" -j "$jobs" --target "$target"
else
  # Without a terminal: one line every 20 steps, and everything that is not progress.
  cmake --build "$build" -j "$jobs" --target "$target" 2>&1 |
    awk '/^\[build /{n++; last=$0; if (n % 20 == 0) { print; fflush() } next} {print; fflush()}
      END{if (last) print last}'
fi
took=$((SECONDS - start))
[ "$took" -lt 3 ] || echo "[build] $target is up to date after ${took} s"
