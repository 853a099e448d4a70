#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The matched study of estimators: tools/study.sh BIN_FOLDER OUT_FOLDER small|full [SEED|KEY=VALUE...]
#   small   four estimators at six precisions for each seed (1337): 24 runs of gpt-nano, two at a time on two cores
#   full    that at 3e-3 and at 6e-3, there with 2:4 sparsity and ablations as well, and the 11M shape for each seed
#           (1337 2 3), lambda and learning rates: many hours
# Queues sweeps of recipes/library/study-*.yaml on an embedded coordinator with a one-rank worker group a core, and
# leaves OUT/NAME-seedN.csv (the frontier's columns), study.csv (all of them), study.md and study.png. Called again
# after an interruption it goes on where it was. KEY=VALUE overrides a key of every recipe.
# In the environment LR=6e-3 trains with that rate instead of the recipes', and CORPUS=FILE (small only) on that text
# instead of the King James Bible, in OUT_FOLDER-FILE.
set -euo pipefail
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
extent=$3
seeds=() common=()
for argument in "${@:4}"; do
  case $argument in *=*) common+=("$argument") ;; *) seeds+=("$argument") ;; esac
done
if [ "$extent" = full ] && [ -n "${LR:-}${CORPUS:-}" ]; then
  echo "study: LR and CORPUS are for small; full sweeps rates itself" >&2
  exit 2
fi
corpus_name=
if [ -n "${CORPUS:-}" ]; then corpus_name=$("$root/tools/study_corpus.py" "$CORPUS"); fi
folder=$2${corpus_name:+-$corpus_name}
mkdir -p "$folder"; out=$(cd "$folder" && pwd)
export RIDGELINE_STATE=$out/state
unset RIDGELINE_COORDINATOR RIDGELINE_WORK_DIR  # The study talks to its own stack, whatever the shell exports.
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
ridgeline=$bin/ridgeline
groups=() jobs=() names=()

# Weights and activations of each precision.
precisions=(a1w1:int1:int1 a4w1:int1:int4 a1.58w1.58:ternary:ternary a2w2:int2:int2 a4w4:int4:int4 fp4:fp4:fp4)

# A group a core: networks this small gain little from a second thread.
start_stack() {
  "$ridgeline" up --ranks 0 --listen 127.0.0.1:0 --metrics 127.0.0.1:0
  trap stop_stack EXIT
  local address core
  address=$("$ridgeline" status -o name)
  for core in $(seq "$(nproc)"); do
    OMP_NUM_THREADS=1 mpirun -n 1 --bind-to none "$bin/ridgeline-worker" --coordinator "$address" \
      --group "study-$core" --work-dir "$out/work" > "$out/worker-$core.log" 2>&1 &
    groups+=($!)
  done
}

stop_stack() {
  for group in "${groups[@]}"; do kill "$group" 2> /dev/null || true; done
  "$ridgeline" down
}

# submit NAME SEED RECIPE KEY=VALUE...: the same request twice is the same job.
submit() {
  local name=$1${LR:+-lr$LR} seed=$2 recipe=$3 overrides=(); shift 3
  [ -z "${LR:-}" ] || set -- "$@" "optimizer.lr=$LR"
  for override in "$@" "${common[@]}"; do overrides+=(--set "$override"); done
  jobs+=("$("$ridgeline" submit -f "$root/recipes/library/study-$recipe.yaml" --name "$name" \
    --request-id "$name-seed$seed" --set "dataset.path=$out/data" --set "training.seed=$seed" \
    --set labels.study=study "${overrides[@]}" -o name)") || {
    echo "study: $out keeps its runs: other settings want another folder, or this one removed" >&2
    exit 2
  }
  names+=("$name-seed$seed")
}

# estimators SEED SUFFIX KEY=VALUE...: all precisions.
estimators() {
  local seed=$1 suffix=$2 precision name weight activation; shift 2
  for precision in "${precisions[@]}"; do
    IFS=: read -r name weight activation <<< "$precision"
    submit "$name$suffix" "$seed" estimators "quant.weight.format=$weight" "quant.activation.format=$activation" "$@"
  done
}

# Pruned numbers and the pieces of ridge_trust, for a seed, at the rate that it is best at.
at_high_rate() {
  local seed=$1 LR=6e-3 precision name weight activation
  estimators "$seed" ""
  estimators "$seed" -2to4 sparsity.pattern=2:4 quant.weight.scheme=linear
  for precision in a1w1:int1:int1 a4w4:int4:int4; do
    IFS=: read -r name weight activation <<< "$precision"
    submit "ablation-$name" "$seed" ablation "quant.weight.format=$weight" "quant.activation.format=$activation"
  done
}

queue_full() {
  local seed
  submit lr 1337 lr
  submit lr-hadamard 1337 lr quant.hadamard=true
  submit lambda 1337 lambda
  submit lambda-hadamard 1337 lambda quant.hadamard=true
  for seed in "$@"; do
    estimators "$seed" ""
    at_high_rate "$seed"
    estimators "$seed" -11m model.name=gpt-11m
  done
}

# Of the text as it was when its first study began: runs of two texts do not belong in one table.
prepare_corpus() {
  local sum
  sum=$(sha256sum < "$CORPUS")
  if [ -e "$out/data/dataset.json" ]; then
    [ "$(cat "$out/corpus.sha256")" = "$sum" ] && return
    echo "study: $out has runs of another text; remove that folder, or give $CORPUS another name" >&2
    exit 2
  fi
  echo "$sum" > "$out/corpus.sha256"
  "$ridgeline" data prepare --text "$CORPUS" --out "$out/data" --name "$corpus_name"
}

if [ -n "$corpus_name" ]; then prepare_corpus; else "$root/tools/kjv_dataset.sh" "$bin" "$out"; fi
start_stack
case $extent in
  small) for seed in "${seeds[@]:-1337}"; do estimators "$seed" ""; done ;;
  full) [ "${#seeds[@]}" -gt 0 ] || seeds=(1337 2 3); queue_full "${seeds[@]}" ;;
  *) echo "study: '$extent' is neither small nor full" >&2; exit 2 ;;
esac
for i in "${!jobs[@]}"; do
  echo "== ${names[i]} ($((i + 1)) of ${#jobs[@]})" >&2
  "$ridgeline" watch "${jobs[i]}" || {
    echo "study: ${names[i]} is not finished: call again to go on; if it failed," \
      "\`ridgeline --state $RIDGELINE_STATE logs ${jobs[i]}\` says why" >&2
    exit 1
  }
  "$ridgeline" frontier export --job "${jobs[i]}" -o csv --out "$out/${names[i]}.csv" > /dev/null
  "$ridgeline" frontier export --job "${jobs[i]}" -o json --out "$out/${names[i]}.json" > /dev/null
done
"$ridgeline" frontier export -l study=study -o csv --out "$out/study.csv"
python3 "$root/tools/study_table.py" "$out" "${names[@]}"
