#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds and runs the benchmarks that end within 10 minutes: bench/run.sh BUILD_FOLDER OUT_FOLDER
set -euo pipefail
build=$1 out=$2
cmake --build "$build" --target quant_bench > /dev/null
"$build/bin/quant_bench" "$out"
