#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over sources: tools/tidy.sh BUILD_FOLDER [FILE.cc...]
# Without files over those that differ from the branch main (all: tools/tidy.sh build $(git ls-files '*.cc'); hours).
# The build folder tells how each is compiled and holds the generated headers: what it has not compiled yet cannot be
# read.
set -uo pipefail
cd "$(dirname "$0")/.."
build=$1; shift
if [ $# = 0 ]; then
  base=$(git merge-base HEAD origin/main 2> /dev/null || git merge-base HEAD main) ||
    { echo "tidy: name the files: there is no branch main to compare with" >&2; exit 2; }
  mapfile -t files < <(git diff --name-only --diff-filter=d "$base" -- '*.cc')
  set -- "${files[@]}"
fi
[ $# -gt 0 ] || { echo "tidy: nothing differs"; exit 0; }
# clang reads none of GCC's precompiled headers, and compiles without them.
printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -I{} sh -c \
  'clang-tidy-14 -p "$1" --quiet --extra-arg=-Wno-everything "$2" 2> /dev/null' sh "$build" {}
