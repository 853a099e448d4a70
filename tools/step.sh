#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One step of something longer, in one line: what it does and how long it took. What its command prints goes to a log,
# whose end is shown if the command fails. Sourced for the function, or: tools/step.sh NAME WHAT LOG COMMAND...

# A sleep that may outlive us for a moment, without a hand on our output.
pause() { sleep "$1" > /dev/null 2>&1; }

# Of the step that runs, in this form.
# shellcheck disable=SC2059
say_step() { printf "$1" "$name" "$what" $((SECONDS - start)) >&2; }

# step NAME WHAT LOG COMMAND... (which may be a function): appends to the log, returns the command's exit status.
step() {
  local name=$1 what=$2 log=$3 start=$SECONDS status=0 ticker before
  shift 3
  mkdir -p "$(dirname "$log")"
  printf '\n== %s %s\n' "$(date '+%F %T')" "$what" >> "$log"
  before=$(wc -c < "$log")
  if [ -t 2 ]; then
    ( while kill -0 $$ 2> /dev/null; do say_step '\r[%s] %s, %s s '; pause 1; done ) &
  else
    printf '[%s] %s\n' "$name" "$what" >&2
    ( while pause 30 && kill -0 $$ 2> /dev/null; do say_step '[%s] %s, %s s so far\n'; done ) &
  fi
  ticker=$!
  # In front, so that Ctrl-C reaches it.
  "$@" >> "$log" 2>&1 || status=$?
  kill "$ticker" 2> /dev/null || true
  wait "$ticker" 2> /dev/null || true
  if [ -t 2 ]; then printf '\r\033[K' >&2; fi
  if [ "$status" = 0 ]; then
    if [ -t 2 ] || [ $((SECONDS - start)) -ge 3 ]; then
      say_step '[%s] %s: %s s\n'
    fi
    return 0
  fi
  printf '[%s] %s failed after %s s; the last lines of %s:\n' "$name" "$what" $((SECONDS - start)) "$log" >&2
  tail -c "+$((before + 1))" "$log" | tail -n 20 | sed 's/^/    /' >&2
  return "$status"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  step "$@"
fi
