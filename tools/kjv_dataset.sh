#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The King James Bible as a dataset of characters, made once: tools/kjv_dataset.sh BIN_FOLDER OUT_FOLDER -> OUT/data
set -euo pipefail
bin=$1 out=$2
[ ! -e "$out/data/dataset.json" ] || exit 0
if ! command -v bible > /dev/null; then
  echo "kjv_dataset: the program bible is missing: tools/deps.sh installs the package bible-kjv" >&2
  exit 1
fi
[ -s "$out/kjv.txt" ] || { bible -f Gen1:1-Rev22:21 > "$out/kjv.txt.part" && mv "$out/kjv.txt.part" "$out/kjv.txt"; }
"$bin/ridgeline" data prepare --text "$out/kjv.txt" --out "$out/data" --name kjv
