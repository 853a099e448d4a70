#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From real text to a measured frontier: tools/demo.sh BIN_FOLDER OUT_FOLDER
# Starts a coordinator and a worker group of two ranks, trains eleven small GPTs, draws what their
# packed files cost and know, and writes with the smallest of the best.
set -euo pipefail
bin=$(cd "$1" && pwd)
mkdir -p "$2"; out=$(cd "$2" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
ranks=${RIDGELINE_DEMO_RANKS:-2}
recipe=${RIDGELINE_DEMO_RECIPE:-$root/recipes/library/demo-sweep.yaml}
export RIDGELINE_STATE=$out/state
unset RIDGELINE_COORDINATOR RIDGELINE_WORK_DIR  # The demo talks to its own stack, whatever the shell exports.
ridgeline=$bin/ridgeline

step() { printf '\n== %s\n' "$*" >&2; }

# The whole King James Bible as Debian packages it, a verse a line.
prepare_data() {
  step "1/6 text to tokens: the King James Bible, 4.4 MB"
  "$root/tools/kjv_dataset.sh" "$bin" "$out"
}

start_stack() {
  step "2/6 an embedded coordinator and a worker group of $ranks ranks"
  "$ridgeline" up --ranks "$ranks" --listen 127.0.0.1:0 --metrics 127.0.0.1:0
}

# "unfinished" (an interrupted demo's sweep, which goes on) or "over" (makes room for a new one). Anything but a clear
# answer ends the demo: nobody's results are deleted on a guess.
earlier_sweep() {
  local job status=0
  job=$("$ridgeline" get demo -o json) || status=$?
  case $status in
    0) if grep -qE '"state": *"(QUEUED|RUNNING)"' <<< "$job"; then echo unfinished; else echo over; fi ;;
    3) echo over ;;
    *) return 1 ;;
  esac
}

on_interrupt() {
  printf '\nThe sweep goes on without you. `%s watch demo` shows it, `make demo` takes it up, `%s down` ends it.\n' \
    "RIDGELINE_STATE=$RIDGELINE_STATE $ridgeline" "RIDGELINE_STATE=$RIDGELINE_STATE $ridgeline" >&2
  exit 130
}

run_sweep() {
  local status=0
  trap on_interrupt INT
  if [ "$resumed" = 1 ]; then
    step "3/6 an earlier demo's sweep is not finished: it goes on"
    "$ridgeline" watch demo || status=$?
  else
    step "3/6 a sweep of quantized GPTs (gpt-nano, 400 steps each)"
    "$ridgeline" submit -f "$recipe" --set "dataset.path=$out/data" --follow || status=$?
  fi
  trap - INT
  [ "$status" != 130 ] || on_interrupt
  if [ "$status" != 0 ]; then
    printf 'demo: the sweep did not succeed (exit %s). Logs: %s/worker.log and `RIDGELINE_STATE=%s %s logs JOB`.\n' \
      "$status" "$RIDGELINE_STATE" "$RIDGELINE_STATE" "$ridgeline" >&2
    exit "$status"
  fi
}

show_frontier() {
  step "4/6 the frontier"
  "$ridgeline" frontier list --job demo
  "$ridgeline" frontier export --job demo -o csv --out "$out/frontier.csv"
  "$ridgeline" frontier plot --job demo --out "$out/frontier.svg" --out "$out/frontier.png"
  "$ridgeline" frontier report --job demo --out "$out/frontier.html"
}

# The smallest of those that no other beats; one that is not quantized is no feat.
smallest_job() {
  "$ridgeline" frontier export --job demo -o csv | awk -F, '
    NR == 1 { for (i = 1; i <= NF; ++i) at[$i] = i; next }
    $at["pareto"] != "true" || $at["weight_format"] == "none" { next }
    job == "" || $at["storage_bytes"] + 0 < least { least = $at["storage_bytes"] + 0; job = $at["job_id"] }
    END { print job }'
}

write_a_line() {
  local job
  job=$(smallest_job)
  step "5/6 a line by the smallest file on the frontier, that of $job, from its codes"
  rm -rf "$out/smallest"
  "$ridgeline" artifact pull "$job" --out "$out/smallest"
  ls -l "$out/smallest/model.safetensors"
  "$ridgeline" generate --model "$out/smallest" --prompt "In the beginning" --max-new-tokens 100 --temperature 0.5 \
    --seed 1
}

stop_stack() {
  step "6/6 stopping the stack"
  "$ridgeline" down
}

start=$SECONDS
resumed=0
if [ -e "$RIDGELINE_STATE/coordinator.json" ] || [ -e "$RIDGELINE_STATE/journal.db" ]; then
  start_stack
  earlier=$(earlier_sweep) || {
    echo "demo: cannot tell whether an earlier demo is finished; remove $RIDGELINE_STATE to start anew" >&2
    exit 1
  }
  if [ "$earlier" = unfinished ]; then resumed=1; else "$ridgeline" down; rm -rf "$RIDGELINE_STATE"; fi
fi
prepare_data
[ "$resumed" = 1 ] || start_stack
run_sweep
show_frontier
write_a_line
stop_stack
cat <<TEXT

Done in $((SECONDS - start)) s. Look at:
  $out/frontier.png     accuracy against bytes and against energy
  $out/frontier.html    both with recipes, loss curves and a table that sorts, for a browser
  $out/frontier.csv     the same as numbers
  $out/smallest         the packed model that wrote the line
Try next:
  build/bin/ridgeline up                                     a coordinator and a worker group of your own
  build/bin/ridgeline explain quant                          what a recipe can say
  build/bin/ridgeline submit -f recipes/library/gpt-nano-ridge-a1w1.yaml --set dataset.path=$out/data --follow
TEXT
