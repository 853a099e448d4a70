#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Our torchao estimator against the package itself: tools/torchao_test.sh BUILD_FOLDER
# Installs torch and torchao into .deps/torchao (about 5 GB, once; or set PYTHON to an interpreter that has them), lets
# the package compute quant/kernels/testdata/torchao.txt again, and holds our kernels against that, bit for bit.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
test=$1/tests/quant_kernels_test
golden=$root/quant/kernels/testdata
python=${PYTHON:-$root/.deps/torchao/bin/python3}

if ! "$python" -c 'import torch, torchao' 2> /dev/null; then
  if [ -n "${PYTHON:-}" ]; then
    echo "torchao_test: $PYTHON cannot import torch and torchao: leave PYTHON unset to install them" >&2
    exit 1
  fi
  echo "torchao_test: installing torch 2.11.0 and torchao 0.18.0 into .deps/torchao (about 5 GB; once)" >&2
  python3 -m venv "$root/.deps/torchao"
  "$python" -m pip install --quiet --disable-pip-version-check torch==2.11.0 torchao==0.18.0 numpy
fi

fresh=$(mktemp) errors=$(mktemp); trap 'rm -f "$fresh" "$errors"' EXIT
"$python" "$golden/make_torchao_golden.py" > "$fresh" 2> "$errors" || { cat "$errors" >&2; exit 1; }
# The first line names the versions.
if ! difference=$(diff <(sed 1d "$golden/torchao.txt") <(sed 1d "$fresh")); then
  echo "torchao_test: $(head -1 "$fresh" | cut -c3-) computes something else than $golden/torchao.txt, in" \
    "$(grep -c '^<' <<< "$difference") of its lines; if the package changed on purpose, write the file again:" \
    "$python $golden/make_torchao_golden.py > $golden/torchao.txt" >&2
  exit 1
fi
echo "torchao_test: $(head -1 "$fresh" | cut -c3-) computes testdata/torchao.txt," \
  "$(grep -c '^case' "$fresh") cases, bit for bit; ours:"
"$test" --gtest_filter='TorchaoTest.*' --gtest_brief=1
