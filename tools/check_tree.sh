#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rules that a compiler does not know: licence lines, format and line lengths, files that people look for, citations,
# and the arrows between rooms and inside them.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0
complain() { echo "check_tree: $*" >&2; status=1; }

# Each room and each of its folders, and whose headers it may include (docs/architecture.md). A room stands for all of
# its folders; files in the room itself may also include from those. A folder that names its own room may include
# from the files in the room itself, which then may not include from it. "*": from everywhere. Every folder with sources
# has a line, and no path of arrows leads back to where it began.
declare -A arrows=(
  [common]=""
  [net]="common"
  [device]="common"
  [energy]="device common"
  [proto]=""
  [method]=""
  [quant]="method common"
  [quant/kernels]="method"
  [quant/codes]="quant/kernels method common"
  [quant/packed]="quant/codes quant/kernels method common"
  [quant/cuda]="quant/kernels method"
  [quant/autograd]="quant/codes quant/kernels method"
  [quant/cost]="quant/codes method"
  [quant/testing]=""
  [weights]="common"
  [import]="weights common"
  [data]="weights common"
  [recipes]="model/blueprint method proto common"
  [frontier]="proto common"
  [model]="method quant weights common"
  [model/blueprint]="method quant/codes quant/cost"
  [model/kernels]=""
  [model/ops]="model/kernels method quant"
  [model/ops/cpu]="model/ops model/kernels method quant"
  [model/ops/composed]="model/ops model/kernels method quant"
  [model/ops/cuda]="model/ops/composed model/ops model/kernels method quant"
  [plan]="recipes model method quant weights proto common"
  [inference]="model method quant data weights common"
  [comm]="common"
  [comm/mpi]="comm common"
  [comm/nccl]="comm comm/mpi common"
  [comm/nccl/host]="comm/nccl comm"
  [comm/threads]="comm common"
  [coordinator]="recipes frontier net proto common"
  [coordinator/state]="proto common"
  [coordinator/fleet]="coordinator/state proto common"
  [coordinator/control]="coordinator/fleet coordinator/state recipes net proto common"
  [coordinator/view]="coordinator/control coordinator/fleet coordinator/state recipes frontier proto common"
  [coordinator/telemetry]="coordinator/view coordinator/control coordinator/fleet coordinator/state recipes frontier \
proto common"
  [coordinator/rpc]="coordinator/telemetry coordinator/view coordinator/control coordinator/fleet coordinator/state \
recipes net proto common"
  [coordinator/simulation]="coordinator/view coordinator/control coordinator/fleet coordinator/state \
recipes net proto common"
  [worker]="comm comm/nccl device net recipes proto common"
  [worker/parallel]="comm model method quant proto common"
  [worker/checkpoint]="worker/checkpoint/store worker/parallel model quant weights proto common"
  [worker/checkpoint/store]="weights proto common"
  [worker/train]="worker/checkpoint worker/parallel comm recipes model plan method quant data energy device weights \
proto common"
  [worker/rpc]="net proto common"
  [stack]="common"
  [cli]="stack energy device net proto common"
  [cli/shared]="stack recipes frontier plan net proto common"
  [cli/verbs]="cli/shared stack recipes frontier import inference plan worker/checkpoint/store coordinator/state \
data energy device weights net proto common"
  [bench]="*"
  [tests]="*"
)
# Tests may also use a room that makes their input or compares their results.
declare -A test_arrows=(
  [quant/kernels]="quant/testing"
  [quant/codes]="quant/testing"
  [quant/packed]="quant/testing"
  [quant/cuda]="quant/testing"
  [quant/autograd]="quant/testing"
  [model/kernels]="quant/testing"
  [model/ops/composed]="model/blueprint"
  [comm]="comm/threads"
  [comm/nccl]="comm/nccl/host comm/threads"
  [coordinator/state]="recipes"
  [worker/train]="recipes"
)

existing() { while read -r path; do [ ! -e "$path" ] || echo "$path"; done; }
sources() { git ls-files --cached --others --exclude-standard -- '*.h' '*.cc' '*.cu' '*.cuh' | sort -u | existing; }
table() { for room in "${!arrows[@]}"; do echo "$room ${arrows[$room]}"; done; }
test_table() { for room in "${!test_arrows[@]}"; do echo "$room ${test_arrows[$room]}"; done; }

# Functions that the awk programs below share.
read -r -d '' library <<'AWK' || true
# The line of the table that a file's folder belongs to; empty for files of others.
function room_of(path) {
  if (path ~ /^ridgeline\//) return "proto"  # Generated from it.
  while (sub(/\/[^\/]*$/, "", path)) if (path in arrows) return path
  return ""
}
function is_within(folder, room) { return index(folder, room "/") == 1 }
function is_in(room, list, from,   words, n, i) {
  n = split(list, words, " ")
  for (i = 1; i <= n; ++i) {
    if (words[i] == "*" || words[i] == room) return 1
    if (is_within(room, words[i]) && !is_within(from, words[i])) return 1
  }
  return 0
}
function names(folder, room) { return index(" " arrows[folder] " ", " " room " ") > 0 }
function may(from, to) {
  return from == to || (is_within(to, from) && !names(to, from)) || is_in(to, arrows[from], from)
}
FILENAME == "/dev/fd/3" { room = $1; sub(/^[^ ]+ */, ""); arrows[room] = $0; next }
FILENAME == "/dev/fd/4" { room = $1; sub(/^[^ ]+ */, ""); test_arrows[room] = $0; next }
AWK

check_table() {
  awk "$library"'
    END {
      for (from in arrows) {
        n = split(arrows[from], words, " ")
        for (i = 1; i <= n; ++i)
          if (words[i] != "*" && !(words[i] in arrows))
            print "the table of arrows has no line for " words[i] ", which " from " names"
      }
    }' /dev/fd/3 3< <(table)
  # tsort names the rooms of a circle.
  awk "$library"'
    END {
      for (from in arrows)
        for (to in arrows) if (from != to && arrows[from] != "*" && may(from, to)) print from, to
    }' /dev/fd/3 3< <(table) | { tsort 2>&1 > /dev/null || true; } |
    sed 's/^tsort: //; s/^-: .*loop.*/arrows of the table lead round:/' | paste -sd' '
}

check_folders() {
  sources | awk "$library"'
    { room = room_of($0); folder = $0; sub(/\/[^\/]*$/, "", folder) }
    room == "" || (folder != room && arrows[room] != "*") { missing[folder] = 1 }
    END { for (folder in missing) print folder ": has sources and no line in the table of tools/check_tree.sh" }' \
    /dev/fd/3 - 3< <(table)
}

check_includes() {
  sources | tr '\n' '\0' | xargs -0 grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' /dev/null |
    awk "$library"'
    {
      split($0, part, ":")
      target = $0; sub(/^[^"<]*["<]/, "", target); sub(/[">].*/, "", target)
      at = part[1] ":" part[2]; from = room_of(part[1]); to = room_of(target)
    }
    /include *"/ && (target !~ /\// || target ~ /^\.\.?\//) {
      print at ": say " target " from the root of the tree"
      next
    }
    from == "" || to == "" || may(from, to) { next }
    part[1] ~ /_test\.cc$/ && is_in(to, test_arrows[from], from) { next }
    {
      allowed = arrows[from] == "" ? "nothing" : arrows[from]
      print at ": " from " may not include from " to " (allowed: " allowed ")"
    }' \
    /dev/fd/3 /dev/fd/4 - 3< <(table) 4< <(test_table)
}

# Hand-written text: code, scripts, data that people edit, and pages. Pages carry their licence in an HTML comment.
texts() {
  git ls-files '*.cc' '*.h' '*.cu' '*.cuh' '*.py' '*.sh' '*.sbatch' '*.proto' '*.cmake' '*.yaml' '*.yml' '*.md' \
    'CMakeLists.txt' '*/CMakeLists.txt' Makefile .ci/run .clang-format .clang-tidy .editorconfig |
    grep -v fuzz_corpus | existing
}

check_licences() {
  texts | tr '\n' '\0' | xargs -0 awk '
    FNR <= 3 && /SPDX-License-Identifier: Apache-2.0/ { has_line[FILENAME] = 1 }
    END { for (i = 1; i < ARGC; ++i) if (!(ARGV[i] in has_line)) print ARGV[i] ": no SPDX line at the top" }'
}

# fmt::print throws where a terminal is gone and says nothing where a disk is full.
check_prints() {
  sources | grep -E '^(cli|inference)/' | grep -v '_test\.cc$' | tr '\n' '\0' |
    { xargs -0 grep -nE 'fmt::print\(|std::(cout|cerr)\b' /dev/null || true; } |
    sed -E 's/^([^:]*:[0-9]+):.*/\1: print through common\/print.h/'
}

# Tables and links cannot be cut; .clang-format holds C++ to the same width.
check_lines() {
  texts | grep -vE '\.(cc|h|cu|cuh)$|CMakeLists.txt$' | tr '\n' '\0' |
    LC_ALL=C.UTF-8 xargs -0 grep -nE '^.{121,}' /dev/null |
    grep -vE '^[^:]*\.md:[0-9]+:( *\||.*\]\(|.*https?://)' |
    sed -E 's/^([^:]*:[0-9]+):.*/\1: more than 120 columns/' || true
}

check_format() {
  if ! command -v clang-format-14 > /dev/null; then
    echo "check_tree: format NOT CHECKED: clang-format-14 is not installed (tools/deps.sh --test)" >&2
    return
  fi
  git ls-files '*.cc' '*.h' '*.cu' '*.cuh' '*.proto' | existing | tr '\n' '\0' |
    { xargs -0 clang-format-14 --dry-run -Werror 2>&1 || true; } |
    sed -nE 's/^([^:]+:[0-9]+):[0-9]+: error.*/\1: is not as clang-format has it (make format)/p'
}

check_pages() {
  for page in README.md LICENSE CONTRIBUTING.md CHANGELOG.md SECURITY.md .editorconfig .clang-format .clang-tidy; do
    [ -s "$page" ] || echo "$page is missing"
  done
}

# Of "docs/methods.md#quest" in a comment the heading has to be there; a section by its number, of a document that is
# not, is no help. (tests/docs has the links of documents.)
check_citations() {
  git ls-files --cached --others --exclude-standard -- '*.md' '*.cc' '*.h' '*.inc' '*.cu' '*.cuh' '*.py' '*.sh' \
    '*.proto' '*.cmake' '*.yaml' '*.yml' '*CMakeLists.txt' Makefile | grep -v 'tests/tools/check_tree' | sort -u |
    existing | tr '\n' '\0' | xargs -0 awk '
    # What GitHub calls a heading.
    function anchor_of(heading) {
      sub(/^#+ +/, "", heading)
      heading = tolower(heading)
      gsub(/[^a-z0-9_ -]/, "", heading)
      gsub(/ /, "-", heading)
      return heading
    }
    FILENAME ~ /\.md$/ { if (/^#+ /) anchors[FILENAME "#" anchor_of($0)] = 1; next }
    {
      for (rest = $0; match(rest, /[A-Za-z0-9_\/.-]+\.md#[A-Za-z0-9_-]+/); rest = substr(rest, RSTART + RLENGTH)) {
        cited[++count] = substr(rest, RSTART, RLENGTH)
        at[count] = FILENAME ":" FNR
      }
    }
    # Of a paper or a standard that has numbers of its own, the line says which.
    (/(^|[^A-Za-z])(section|§) ?[A-Z]?[0-9]/ && !/arXiv|RFC|OCP/) ||
      /(^|[^A-Z])(METHODS|DESIGN|SERVICE|MEASURE|STYLE|PEERS)(\.md)?,? [A-Z]?[0-9]/ {
      print FILENAME ":" FNR ": cites a section by its number: cite a heading of docs/, as in docs/methods.md#terms"
    }
    END { for (i = 1; i <= count; ++i) if (!(cited[i] in anchors)) print at[i] ": there is no heading " cited[i] }'
}

for check in check_table check_folders check_includes check_licences check_prints check_citations check_lines \
  check_format check_pages; do
  complaints=$($check) || complain "$check did not end well"
  while read -r complaint; do [ -z "$complaint" ] || complain "$complaint"; done <<< "$complaints"
done

[ "$status" = 0 ] && echo "check_tree: arrows, licence lines, citations and format are in order"
exit "$status"
