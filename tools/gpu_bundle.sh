#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Packs the GPU acceptance (tools/gpu_accept.sh) for a machine that has a driver, CUDA 13 and torch 2.11 under
# python3.12, and no compilers: the programs, the shared libraries that such a machine may lack, MPI's launcher, and
# what the programs read. LibTorch and CUDA are not in it.
#   tools/gpu_bundle.sh [FILE]   default: out/gpu-bundle.tar.xz, which unpacks into gpu-bundle/ (python3.12 -m tarfile
#                                -e FILE, or tar); there: gpu-bundle/run.sh
set -euo pipefail
cd "$(dirname "$0")/.."
file=${1:-out/gpu-bundle.tar.xz}
build='build-cuda-worker'
most_megabytes=60
data=(recipes/library)  # What programs read, under the same path in the bundle.
# MPI's modules for networks and schedulers: ranks are on one machine.
no_modules='_(ucx|ofi|openib|psm2?|slurm|gridengine|flux|jsm|rsh)\.so$|/mca_(spml|scoll|sshmem|memheap|atomic)_'

say() { printf '[bundle] %s\n' "$*" >&2; }
fail() { printf '[bundle] error: %s\n' "$*" >&2; exit 1; }

compile() {
  mkdir -p out
  tools/step.sh bundle "configuring" out/gpu-bundle.log cmake --preset release-cuda
  tools/build.sh "$build" "$(nproc)" gpu-programs
  tools/build.sh "$build" "$(nproc)" ridgeline-worker
}

# The programs of the acceptance's list that are built: the list says which have to be there.
copy_programs() {
  local name path
  for name in $(sed 's/#.*//' tools/gpu_accept.list | grep -oE '@[A-Za-z0-9_-]+' | sort -u | cut -c2-) ridgeline-worker
  do
    [ "$name" != mpirun ] || continue
    path=$(find "$build/bin" "$build/tests" -maxdepth 1 -type f -name "$name")
    if [ -z "$path" ]; then
      say "note: $name of tools/gpu_accept.list is not built: the acceptance will fail by it"
      continue
    fi
    strip -o "$top/bin/$name" "$path"
  done
}

copy_mpi() {
  local modules; modules=$(ompi_info --path pkglibdir --parsable | cut -d: -f3-)
  mkdir -p "$top/openmpi/lib/modules" "$top/openmpi/share"
  cp "$(readlink -f "$(command -v mpirun)")" "$top/bin/mpirun"
  for module in "$modules"/mca_*.so; do
    [[ $module =~ $no_modules ]] || cp "$module" "$top/openmpi/lib/modules/"
  done
  cp "$(ompi_info --path pkgdatadir --parsable | cut -d: -f3-)"/help-*.txt "$top/openmpi/share/"
}

binaries() { find "$top" -type f \( -path "$top/bin/*" -o -name '*.so*' \); }

# All that the binaries load, but for what every machine has (glibc), and what torch and CUDA bring.
copy_libraries() {
  binaries | xargs ldd 2> /dev/null |
    awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }' | sort -u |
    grep -vE '^(libc|libm|libdl|librt|libpthread|libutil|libresolv|ld-linux[^ ]*)\.so|^lib(torch|c10|gomp|cu|nv|nccl)' |
    while read -r name path; do cp -L "$path" "$top/lib/$name"; done
}

# Where they were built means nothing there: run.sh says where libraries are.
remove_rpaths() {
  binaries | while read -r binary; do echo "file(RPATH_REMOVE FILE \"$binary\")"; done > "$scratch/rpaths.cmake"
  cmake -P "$scratch/rpaths.cmake"
}

newest_glibc() {
  binaries | xargs readelf -VW | grep -oE 'GLIBC_2\.[0-9]+' | cut -d_ -f2 | sort -uV | tail -1
}

write_bundle() {
  local name
  mkdir -p "$top/bin" "$top/lib" "$top/tools"
  copy_programs
  copy_mpi
  copy_libraries
  remove_rpaths
  newest_glibc > "$top/glibc"
  git describe --always --dirty > "$top/version"
  cp tools/gpu_accept.sh tools/gpu_accept.py tools/gpu_accept.list "$top/tools/"
  cp LICENSE "$top/"
  for name in "${data[@]}"; do mkdir -p "$top/$(dirname "$name")"; cp -r "$name" "$top/$name"; done
  ln -s tools/gpu_accept.sh "$top/run.sh"
}

compile
scratch=$(mktemp -d); trap 'rm -rf "$scratch"' EXIT
top=$scratch/gpu-bundle
write_bundle
mkdir -p "$(dirname "$file")"
tar -C "$scratch" --owner=0 --group=0 -c gpu-bundle | xz -T0 -6 > "$file"
bytes=$(stat -c %s "$file")
say "$file: $((bytes / 1000000)) MB, $(du -sm "$top" | cut -f1) MB unpacked, glibc $(cat "$top/glibc") or newer"
[ "$bytes" -le $((most_megabytes * 1000000)) ] || fail "it may have $most_megabytes MB"
