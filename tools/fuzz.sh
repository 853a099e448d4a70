#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every fuzz target for a while, under asan and ubsan: tools/fuzz.sh JOBS SECONDS [TARGET...]
# Starts from the target's corpus and goes on from what earlier runs found (out/fuzz/TARGET). An input that fails is
# out/fuzz/TARGET-crash-*; the others still run.
set -uo pipefail
cd "$(dirname "$0")/.."
jobs=$1 seconds=$2; shift 2
status=0
cmake --preset asan > build-asan-configure.log 2>&1 || { cat build-asan-configure.log; exit 1; }
rm -f build-asan-configure.log
tools/build.sh build-asan "$jobs" fuzz || exit 1
mkdir -p out/fuzz

run_target() {
  local target=$1 corpus=$2 log=out/fuzz/$1.log
  mkdir -p "out/fuzz/$target"
  if "build-asan/bin/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -close_fd_mask=1 \
    -artifact_prefix="out/fuzz/$target-" "out/fuzz/$target" "$corpus" 2> "$log"; then
    printf '%-28s %s\n' "$target" "$(grep -E '^Done' "$log" | tail -1)"
  else
    printf '%-28s FAILED; the input is beside %s\n' "$target" "$log"
    tail -40 "$log"
    return 1
  fi
}

ran=0
while read -r target corpus; do
  [ $# = 0 ] || [[ " $* " == *" $target "* ]] || continue
  run_target "$target" "$corpus" || status=1
  ran=$((ran + 1))
done < build-asan/fuzz.txt
if [ "$ran" = 0 ]; then
  echo "fuzz: no target of that name; there are $(cut -d' ' -f1 build-asan/fuzz.txt | tr '\n' ' ')" >&2
  exit 2
fi
exit "$status"
