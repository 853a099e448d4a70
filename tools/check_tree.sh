#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rules that a compiler does not know: licence lines, the arrows between rooms, file sizes.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0
complain() { echo "check_tree: $*" >&2; status=1; }

# Rooms and whose headers they may include (docs/architecture.md).
declare -A arrows=(
  [common]="" [quant]="" [weights]="common" [data]="weights common" [recipes]="common" [frontier]="common"
  [coordinator]="recipes frontier common" [cli]="recipes frontier import inference plan data weights common"
  [import]="weights common" [model]="quant weights common" [worker]="recipes model plan quant data weights common"
  [plan]="recipes model quant weights common" [inference]="model quant data weights common"
)
# Tests may also use a room that makes their input.
declare -A test_arrows=([worker]="recipes")

for room in "${!arrows[@]}"; do
  [ -d "$room" ] || continue
  allowed="$room ${arrows[$room]}"
  while IFS=: read -r file line include; do
    target=$(sed -E 's/.*"([a-z_]+)\/.*/\1/' <<< "$include")
    case " $allowed ridgeline " in *" $target "*) continue ;; esac
    [[ -d $target ]] || continue
    [[ $file == *_test.cc && " ${test_arrows[$room]:-} " == *" $target "* ]] && continue
    complain "$file:$line: $room may not include from $target (allowed: $allowed)"
  done < <(grep -rnE '#include "[a-z_]+/' "$room" --include='*.h' --include='*.cc' --include='*.cu' --include='*.cuh' || true)
done

while read -r file; do
  head -3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || complain "$file: no SPDX line at the top"
done < <(git ls-files '*.cc' '*.h' '*.cu' '*.cuh' '*.py' '*.sh' '*.proto' '*.cmake' '*.yaml' '*.yml' 'CMakeLists.txt' '*/CMakeLists.txt' Makefile | grep -v fuzz_corpus)

[ "$status" = 0 ] && echo "check_tree: arrows and licence lines are in order"
exit "$status"
