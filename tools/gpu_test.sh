#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles what runs on GPUs, and runs its tests (label gpu), which say so where there is no GPU. Exit status 77 where
# there is no nvcc.
#   tools/gpu_test.sh           the kernels and their test, in build-cuda: needs nvcc, CMake, Ninja, and libabsl-dev,
#                               libfmt-dev and libhwy-dev
#   tools/gpu_test.sh --worker  the worker and all programs with GPU tests, in build-cuda-worker: LibTorch for GPUs, too
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v "${CUDACXX:-nvcc}" > /dev/null; then
  echo "gpu tests: not compiled (no nvcc on this machine)"
  exit 77
fi
preset=cuda build=build-cuda targets=(gpu-programs)
if [ "${1:-}" = --worker ]; then
  preset=release-cuda build=build-cuda-worker targets=(gpu-programs ridgeline-worker)
fi
log=$build-configure.log
cmake --preset "$preset" > "$log" 2>&1 || { cat "$log"; exit 1; }
rm -f "$log"
for target in "${targets[@]}"; do
  tools/build.sh "$build" "$(nproc)" "$target"
done
if [ "$preset" = release-cuda ]; then
  echo "gpu worker: $build/bin/ridgeline-worker is compiled and linked for compute capability ${CUDAARCHS:-8.0 to 10.0}"
fi
ctest --preset "$preset"
