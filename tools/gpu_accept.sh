#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The acceptance on GPUs (make gpu-accept, and run.sh in the bundle of tools/gpu_bundle.sh): says what this machine
# lacks, or runs tools/gpu_accept.list, prints one table and writes JSON.
#   tools/gpu_accept.sh [OUT]    OUT: folder of results.json and logs, default out/gpu-accept
# Exit status: 0 all passed, 1 something failed, 77 this machine cannot run it.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
out=${1:-out/gpu-accept}
python=python3.12
torch=2.11
host_gib=16 disk_gib=2 gpu_gib=24  # A training step of 1B parameters is the largest.

system=${RIDGELINE_SYSTEM:-}  # What /proc and /sys are looked for under.

missing=()
say() { printf 'gpu-accept: %-8s %s\n' "$1" "$2"; }
lack() { missing+=("$1"); say "$1" "MISSING: $2"; }
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -1)" = "$2" ]; }

# Without a driver, too: display and 3D controllers of NVIDIA's.
has_pci_gpu() {
  local device
  for device in "$system"/sys/bus/pci/devices/*; do
    if [[ $(cat "$device/vendor" 2> /dev/null) = 0x10de && $(cat "$device/class" 2> /dev/null) = 0x03* ]]; then
      return 0
    fi
  done
  return 1
}

# Sets `gpus`, their number.
check_gpus() {
  local answer
  gpus=0
  if ! command -v nvidia-smi > /dev/null; then
    lack driver "NVIDIA's driver (no nvidia-smi in PATH)"
    has_pci_gpu || lack GPU "a GPU (there is none of NVIDIA's on the PCI bus)"
    return
  fi
  if ! answer=$(nvidia-smi --query-gpu=driver_version,name,compute_cap,memory.total --format=csv,noheader,nounits 2>&1)
  then
    lack driver "a driver that answers (nvidia-smi: $(head -1 <<< "$answer"))"
    return
  fi
  if [ -z "$answer" ] || grep -qi 'no devices' <<< "$answer"; then
    lack GPU "a GPU (nvidia-smi lists none)"
    return
  fi
  say driver "$(head -1 <<< "$answer" | cut -d, -f1)"
  check_each_gpu <<< "$answer"
  check_cuda
}

check_each_gpu() {
  local name capability mebibytes
  while IFS=, read -r _ name capability mebibytes; do
    name="$gpus:$name, compute capability$capability,$mebibytes MiB"
    gpus=$((gpus + 1))
    if ! at_least "${capability// /}" 8.0; then lack GPU "compute capability 8.0 (GPU $name)"
    elif [ "${mebibytes// /}" -lt $((gpu_gib * 1000)) ]; then lack GPU "$gpu_gib GB of memory (GPU $name)"
    else say GPU "$name"
    fi
  done
}

# The newest CUDA that the driver runs.
check_cuda() {
  local version; version=$(nvidia-smi | grep -oE 'CUDA Version: *[0-9.]+' | grep -oE '[0-9.]+$' || true)
  if at_least "${version:-0}" 13.0; then say CUDA "$version"
  else lack CUDA "a driver for CUDA 13.0 (this one runs ${version:-none that it names}): 580 or newer"
  fi
}

# Sets `site`, where torch is installed.
check_torch() {
  local version
  site=
  if ! command -v "$python" > /dev/null || ! "$python" -c '' 2> /dev/null; then
    lack python "$python (not in PATH, or it does not start)"
    lack torch "torch $torch, which would be looked for in $python"
    return
  fi
  say python "$("$python" --version | cut -d' ' -f2), $(command -v "$python")"
  version=$("$python" -c 'import importlib.metadata as m; print(m.version("torch"))' 2> /dev/null) || version=none
  if [[ $version != "$torch".* ]]; then
    lack torch "torch $torch (found: $version): $python -m pip install torch==2.11.0"
    return
  fi
  site=$("$python" -c 'import importlib.metadata as m; print(m.distribution("torch").locate_file(""))')
  if [ ! -e "$site/torch/lib/libtorch_cuda.so" ]; then
    lack torch "torch with CUDA ($version in $site is one for CPUs)"
    site=
    return
  fi
  say torch "$version, $site"
}

check_host() {
  local needed glibc memory disk
  needed=$(cat "$here/glibc" 2> /dev/null || echo 2.36)
  glibc=$(getconf GNU_LIBC_VERSION 2> /dev/null | cut -d' ' -f2)
  if at_least "${glibc:-0}" "$needed"; then say glibc "$glibc"
  else lack glibc "glibc $needed (found: ${glibc:-another C library})"
  fi
  memory=$(awk '/^MemAvailable/ { printf "%d", $2 / 1048576 }' "$system/proc/meminfo")
  if [ "$memory" -ge "$host_gib" ]; then say memory "$memory GiB free"
  else lack memory "$host_gib GiB of free memory (found: $memory)"
  fi
  mkdir -p "$out"
  disk=$(df -Pk "$out" | awk 'NR == 2 { printf "%d", $4 / 1048576 }')
  if [ "$disk" -ge "$disk_gib" ]; then say disk "$disk GiB free"
  else lack disk "$disk_gib GiB of free disk under $out (found: $disk)"
  fi
}

# Where programs and what they load are: a bundle's folders, or those of make programs CUDA=1.
find_programs() {
  local folder
  libraries=
  if [ -e "$here/glibc" ]; then
    programs=("$here/bin")
    libraries=$here/lib
    export OPAL_PREFIX=$here/openmpi OPAL_LIBDIR=$here/lib OPAL_PKGLIBDIR=$here/openmpi/lib/modules
    export OPAL_PKGDATADIR=$here/openmpi/share
  else
    programs=("$here/build-cuda-worker/bin" "$here/build-cuda-worker/tests")
  fi
  [ -n "$site" ] || return 0
  for folder in "$site/torch/lib" "$site"/nvidia/*/lib /usr/local/cuda/lib64; do
    [ ! -d "$folder" ] || libraries=${libraries:+$libraries:}$folder
  done
}

# What the loader does not find: torch's own packages are not all there.
check_libraries() {
  local folder library
  [ -n "$site" ] || return 0
  for folder in "${programs[@]}"; do
    [ ! -d "$folder" ] || find "$folder" -type f -perm -u+x
  done | { LD_LIBRARY_PATH=$libraries xargs -r ldd 2> /dev/null || true; } |
    awk '/not found/ { print $1 }' | sort -u > "$out/lacking"
  while read -r library; do lack library "$library, which programs load"; done < "$out/lacking"
  [ -s "$out/lacking" ] || say library "all that programs load"
  rm -f "$out/lacking"
}

check_gpus
check_torch
check_host
find_programs
check_libraries
if [ ${#missing[@]} -gt 0 ]; then
  names=$(printf '%s\n' "${missing[@]}" | uniq | paste -sd' ')
  echo "gpu-accept: not run: this machine lacks what is said above ($names)"
  exit 77
fi
exec "$python" "$here/tools/gpu_accept.py" --list "$here/tools/gpu_accept.list" --gpus "$gpus" --out "$out" \
  --libraries "$libraries" "${programs[@]}"
