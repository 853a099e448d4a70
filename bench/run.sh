#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds and runs the benchmarks that end within 10 minutes: bench/run.sh BUILD_FOLDER OUT_FOLDER
# Those against Python packages need them in PYTHON (default python3).
set -euo pipefail
build=$1 out=$2
python=${PYTHON:-python3}
here=$(cd "$(dirname "$0")" && pwd)

cmake --build "$build" --target quant_bench packed_bench train_step_bench inference_bench > /dev/null
"$build/bin/quant_bench" "$out"

# Whole models: one round, training steps at one length. `make bench-train-step` and `make bench-inference` have more.
if ! "$python" "$here/train_step.py" "$build/bin/train_step_bench" "$out" --rounds 1 --seq-len 256; then
  echo "bench: train_step was not measured, for the reason above" >&2
fi
if ! "$python" "$here/inference.py" "$build/bin/inference_bench" "$out" --rounds 1; then
  echo "bench: inference was not measured, for the reason above" >&2
fi

# Packed layers at one shape; `make bench-packed` has the others, one-bit products and whole models.
if ! "$python" "$here/packed.py" "$build/bin/packed_bench" "$out" --parts layers --shapes "1B gate" --rounds 3; then
  echo "bench: packed was not measured, for the reason above" >&2
fi

# The tax of quantization: the smallest model only. `make bench-tax` has all of them.
if ! "$python" "$here/tax.py" "$build/bin/train_step_bench" "$out" --model gpt-nano; then
  echo "bench: tax was not measured, for the reason above" >&2
fi
