#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Gemma 3 270M from its real weights to four bits: tools/gemma3.sh BIN_FOLDER OUT_FOLDER [STUDY|KEY=VALUE...]
# Imports the model, prepares two kinds of text, fine-tunes the unquantized reference and each STUDY (the names of
# recipes/library/gemma3-270m-STUDY.yaml; default: a4w4) on the same tokens, and draws how their losses went.
# KEY=VALUE overrides a key of every recipe, for instance training.dtype=float32 on a CPU without bfloat16.
# On two cores with AMX about four minutes a job: the reference, and four estimators a study. Needs 6 GiB of memory.
set -euo pipefail
bin=$(cd "$1" && pwd)
mkdir -p "$2"; out=$(cd "$2" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
shift 2
studies=(reference) overrides=()
for argument in "$@"; do
  case $argument in
    *=*) overrides+=(--set "$argument") ;;
    *) studies+=("$argument") ;;
  esac
done
[ ${#studies[@]} -gt 1 ] || studies+=(a4w4)
export RIDGELINE_STATE=$out/state
unset RIDGELINE_COORDINATOR RIDGELINE_WORK_DIR  # The run talks to its own stack, whatever the shell exports.
ridgeline=$bin/ridgeline

step() { printf '\n== %s\n' "$*" >&2; }
fail() { printf 'gemma3: %s\n' "$*" >&2; exit 1; }

# Whole files only: an interrupted run leaves a .part behind.
make_text() { [ -s "$1" ] || { "${@:2}" > "$1.part" && mv "$1.part" "$1"; }; }

# The training kind: the King James Bible, a verse a line, without the verses' numbers.
kjv() { bible -f Gen1:1-Rev22:21 | sed -E 's/^[^ ]+ //'; }

# The second kind, on which forgetting shows: the Debian handbook, by the Debian package; nothing is installed.
handbook() {
  local folder=$out/handbook
  mkdir -p "$folder"
  (cd "$folder" && { ls debian-handbook_*.deb > /dev/null 2>&1 || apt-get download -q debian-handbook >&2; }) ||
    fail "apt-get could not download debian-handbook; put the package's .deb into $folder and start again"
  dpkg-deb -x "$folder"/debian-handbook_*.deb "$folder"
  find "$folder/usr/share/doc/debian-handbook/html/en-US" -name '*.html' ! -name index.html | sort |
    xargs python3 "$root/tools/html_to_text.py"
}

prepare_data() {
  make_text "$out/kjv.txt" kjv
  make_text "$out/handbook.txt" handbook
  [ -e "$out/data/dataset.json" ] ||
    "$ridgeline" data prepare --tokenizer gemma3-270m --text "$out/kjv.txt" --out "$out/data" --name kjv
  [ -e "$out/second/dataset.json" ] ||
    "$ridgeline" data prepare --tokenizer gemma3-270m --text "$out/handbook.txt" --out "$out/second" \
      --name handbook --train-fraction 0.1
}

run_study() {
  local name=gemma3-270m-$1
  if "$ridgeline" wait "$name" --for succeeded --timeout 1 > /dev/null 2>&1; then
    echo "$name has succeeded before" >&2
    return
  fi
  "$ridgeline" submit -f "$root/recipes/library/$name.yaml" --set "dataset.path=$out/data" \
    --set "validation.second_path=$out/second" "${overrides[@]}" --follow ||
    fail "$name did not succeed: see $out/state"
}

step "1/4 real weights: Gemma 3 270M (Google's terms of use lie beside them)"
"$ridgeline" model import gemma3-270m
step "2/4 two kinds of text"
prepare_data
step "3/4 fine-tuning: ${studies[*]}"
"$ridgeline" up --ranks 1 --listen 127.0.0.1:0 --metrics 127.0.0.1:0
trap '"$ridgeline" down' EXIT
for study in "${studies[@]}"; do run_study "$study"; done
step "4/4 side by side"
jobs=("${studies[@]/#/gemma3-270m-}")
"$ridgeline" compare "${jobs[@]}" --title "Gemma 3 270M, fine-tuned on the King James Bible" \
  --out "$out/curves.png" --out "$out/curves.svg"
"$ridgeline" compare "${jobs[@]}" -o csv > "$out/curves.csv"
"$ridgeline" frontier export -o csv --out "$out/frontier.csv"
echo "Look at $out/curves.png, curves.csv and frontier.csv." >&2
