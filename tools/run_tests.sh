#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every test of a build folder: unit tests side by side, those that start processes one after the other (they use
# the cores that they measure on). tools/run_tests.sh BUILD_FOLDER
set -uo pipefail
build=$1
status=0
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
echo "== unit tests"
ctest --test-dir "$build" -L unit --output-on-failure -j "$(nproc)" --quiet -O "$build/unit-tests.log" || status=1
grep -E "tests passed|\*\*\*|FAILED" "$build/unit-tests.log" | tail -20
[ "$status" = 0 ] || tail -60 "$build/unit-tests.log"
echo "== tests with real processes"
ctest --test-dir "$build" -LE unit --output-on-failure || status=1
if ! command -v nvidia-smi > /dev/null; then echo "== gpu tests: not run (no GPU on this machine)"; fi
exit "$status"
