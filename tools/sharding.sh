#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One training on one to four ranks that share the model, share it in pairs, or hold it whole:
# tools/sharding.sh BIN_FOLDER OUT_FOLDER [SEED|KEY=VALUE...]
# gpt-nano with two-bit weights and four-bit activations on the King James Bible, 100 steps, for each seed (1337): with
# training.deterministic, without it, and with gradients that travel in fewer bits. Queues the runs of as many ranks on
# a group of that many and leaves OUT/curves.json, sharding.csv (results/README.md), and sharding.png and .svg. Called
# again after an interruption it goes on where it was. KEY=VALUE overrides a key of every recipe. On two cores it takes
# about eight minutes a seed.
set -euo pipefail
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$2"; out=$(cd "$2" && pwd)
seeds=() common=()
for argument in "${@:3}"; do
  case $argument in *=*) common+=(--set "$argument") ;; *) seeds+=("$argument") ;; esac
done
export RIDGELINE_STATE=$out/state
unset RIDGELINE_COORDINATOR RIDGELINE_WORK_DIR  # The runs talk to their own stack, whatever the shell exports.
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
ridgeline=$bin/ridgeline
group= names=() waiting=()

stop_group() {
  [ -z "$group" ] || { kill "$group" 2> /dev/null && wait "$group"; } || true
  group=
}

stop_stack() { stop_group; "$ridgeline" down; }

# start_group RANKS: the only group there is, with a thread a rank.
start_group() {
  OMP_NUM_THREADS=1 mpirun -n "$1" --oversubscribe --bind-to none "$bin/ridgeline-worker" --coordinator "$address" \
    --group "sharding-$1" --work-dir "$out/work" > "$out/worker-$1.log" 2>&1 &
  group=$!
}

# submit NAME SEED KEY=VALUE...: the same request twice is the same job.
submit() {
  local name=$1-seed$2 overrides=("training.seed=$2"); shift 2
  overrides+=("$@")
  waiting+=("$("$ridgeline" submit -f "$root/recipes/library/gpt-nano-kjv.yaml" --name "$name" --request-id "$name" \
    --set "dataset.path=$out/data" --set training.steps=100 --set training.seq_len=32 \
    --set training.global_batch_size=4 --set lr_scheduler.warmup_steps=20 --set validation.interval=50 \
    --set checkpoint.interval=0 --set quant.weight.format=int2 --set quant.activation.format=int4 \
    --set export.weights=safetensors "${overrides[@]/#/--set=}" "${common[@]}" -o name)")
  names+=("$name")
}

# runs RANKS SEED: every way to share the model among that many.
runs() {
  local ranks=$1 seed=$2 sums way degree degrees=(whole:1)
  [ "$ranks" = 1 ] || degrees+=(shared:0)
  [ "$ranks" != 4 ] || degrees+=(pairs:2)
  for sums in deterministic float32; do
    for way in "${degrees[@]}"; do
      IFS=: read -r way degree <<< "$way"
      submit "$sums-$ranks-$way" "$seed" "parallelism.shard_degree=$degree" \
        "training.deterministic=$([ "$sums" = float32 ] && echo false || echo true)"
    done
  done
  [ "$ranks" = 3 ] || return 0
  for sums in bfloat16 int8; do
    submit "$sums-$ranks-shared" "$seed" parallelism.shard_degree=0 "parallelism.gradient_dtype=$sums"
  done
}

"$root/tools/kjv_dataset.sh" "$bin" "$out"
"$ridgeline" up --ranks 0 --listen 127.0.0.1:0 --metrics 127.0.0.1:0
trap stop_stack EXIT
address=$("$ridgeline" status -o name)
for ranks in 1 2 3 4; do
  waiting=()
  for seed in "${seeds[@]:-1337}"; do runs "$ranks" "$seed"; done
  start_group "$ranks"
  for job in "${waiting[@]}"; do
    echo "== $job on $ranks ranks" >&2
    "$ridgeline" wait "$job"
  done
  stop_group
done
"$ridgeline" compare "${names[@]}" -o json > "$out/curves.json"
for name in "${names[@]}"; do "$ridgeline" artifact list "$name" -o json; done > "$out/artifacts.json"
python3 "$root/tools/sharding_table.py" "$out"
