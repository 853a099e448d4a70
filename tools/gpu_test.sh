#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles the CUDA kernels into build-cuda and runs their test, which says so where there is no GPU. Needs nvcc, CMake,
# Ninja, and libabsl-dev, libfmt-dev and libhwy-dev. Exit status 77 where there is no nvcc.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v "${CUDACXX:-nvcc}" > /dev/null; then
  echo "gpu tests: not compiled (no nvcc on this machine)"
  exit 77
fi
cmake --preset cuda > build-cuda-configure.log 2>&1 || { cat build-cuda-configure.log; exit 1; }
rm -f build-cuda-configure.log
tools/build.sh build-cuda "$(nproc)" quant_cuda_gpu_test
ctest --preset cuda
