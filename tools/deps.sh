#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what Ridgeline builds and tests with, and nothing that is already there.
#   tools/deps.sh             build tools, libraries and LibTorch
#   tools/deps.sh --test      the same, and what the tests start (Prometheus, Slurm, a browser); where nvcc is, what
#                             linking for GPUs takes
#   tools/deps.sh --cuda      build tools, libraries, LibTorch for GPUs, and the CUDA libraries it loads where this
#                             machine lacks them (says how many GB); nvcc has to be there
#   tools/deps.sh --nightly   build tools, and clang with its sanitizers, fuzzer and linter
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
deps="$root/.deps"
torch_version=2.11.0
cudart=nvidia-cuda-runtime==13.0.96
cupti=nvidia-cuda-cupti==13.0.85
log="$deps/setup.log"  # What apt-get, pip and unzip print.
# shellcheck source=tools/step.sh
source "$root/tools/step.sh"

say() { printf '[deps] %s\n' "$*" >&2; }
fail() { printf '[deps] error: %s\n' "$*" >&2; exit 1; }

build_packages=(g++ make cmake ninja-build ccache pkg-config git ca-certificates
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  prometheus-cpp-dev libyaml-cpp-dev libopenmpi-dev openmpi-bin libcli11-dev libspdlog-dev
  libsqlite3-dev libssl-dev nlohmann-json3-dev libutfcpp-dev libsentencepiece-dev libpcre2-dev libarchive-dev
  libhwy-dev libgtest-dev libgmock-dev
  gnuplot-nox bible-kjv python3 python3-pip unzip xz-utils zstd procps)
test_packages=(prometheus slurm-wlm munge sqlite3 curl fonts-dejavu-core clang-14 clang-format-14 chromium)
nightly_packages=(clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14)

# What LibTorch for GPUs loads: the library, the package that has it at the version which the wheel asks for, and MB.
cuda_libraries=(
  "libcublas.so.13 nvidia-cublas==13.1.0.3 423"
  "libcudnn.so.9 nvidia-cudnn-cu13==9.19.0.56 366"
  "libcufft.so.12 nvidia-cufft==12.0.0.61 214"
  "libnccl.so.2 nvidia-nccl-cu13==2.28.9 197"
  "libcusparseLt.so.0 nvidia-cusparselt-cu13==0.8.0 170"
  "libcusparse.so.12 nvidia-cusparse==12.6.3.3 146"
  "libnvrtc.so.13 nvidia-cuda-nvrtc==13.0.88 90"
  "libnvshmem_host.so.3 nvidia-nvshmem-cu13==3.4.5 60"
  "libcurand.so.10 nvidia-curand==10.4.0.35 60"
  "libnvJitLink.so.13 nvidia-nvjitlink==13.0.88 41"
  "libcufile.so.0 nvidia-cufile==1.15.1.6 2"
)

apt_missing() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else fail "'$*' needs root, and sudo is not installed; run it as root, then call this again"
  fi
}

install_packages() {
  local missing; missing=$(apt_missing "$@")
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || fail "this is not a Debian system; install by hand: $missing"
  local names; read -ra names <<< "$missing"
  # Asks for the password before output goes to the log.
  if [ "$(id -u)" != 0 ] && command -v sudo > /dev/null; then sudo -v; fi
  step deps "reading the package lists" "$log" as_root apt-get update -q || fail "apt-get could not read its lists"
  # Daemons that a package would start now are not wanted: the tests start their own, on their own ports.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'as_root rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod +x "$policy"
  fi
  local status=0
  step deps "installing ${#names[@]} Debian packages and what they need" "$log" \
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${names[@]}" || status=$?
  if [ -n "$(trap -p EXIT)" ]; then as_root rm -f "$policy"; trap - EXIT INT TERM HUP; fi
  [ "$status" = 0 ] || fail "apt-get could not install: $missing"
}

# One chain each: `set -e` has no effect in a command whose failure is looked at.
unpack_for_cpu() {
  rm -rf "$deps/libtorch" && mkdir -p "$deps/libtorch/lib" "$deps/libtorch/licenses" && cd "$deps/wheels" &&
    unzip -q torch-*.whl 'torch/include/*' 'torch/lib/libtorch_cpu.so' 'torch/lib/libtorch.so' 'torch/lib/libc10.so' \
      'torch/lib/libgomp*' 'torch-*/licenses/*' &&
    # The wheel's copies of these headers would shadow the system's, which gRPC and spdlog are built with.
    rm -rf torch/include/google/protobuf torch/include/fmt &&
    unzip -q nvidia_cuda_runtime*.whl '*/libcudart.so*' &&
    unzip -q nvidia_cuda_cupti*.whl '*/libcupti.so*' &&
    mv torch/include ../libtorch/ && mv torch/lib/* nvidia/cu13/lib/* ../libtorch/lib/ &&
    cp -r torch-*/licenses/. ../libtorch/licenses/ &&
    cd "$root" && printf '%s' "$cpu_version" > "$deps/libtorch/.version"
}

unpack_for_cuda() {
  cd "$deps/wheels" &&
    unzip -q -o -j torch-*.whl 'torch/lib/libtorch_cuda.so' 'torch/lib/libc10_cuda.so' 'torch/lib/libtorch_nvshmem.so' \
      'torch/lib/libcaffe2_nvrtc.so' -d ../libtorch/lib &&
    cd "$root" && printf '%s' "$cuda_version" > "$deps/libtorch/.cuda-version"
}

# fetch WHAT PACKAGE...: from PyPI into .deps/wheels.
fetch() {
  local what=$1; shift
  rm -rf "$deps/wheels"; mkdir -p "$deps/wheels"
  step deps "fetching $what" "$log" \
    /usr/bin/python3 -m pip download --no-deps --disable-pip-version-check --no-cache-dir --progress-bar off \
    --dest "$deps/wheels" "$@" || fail "pip could not fetch $*"
}

# The PyPI wheel of torch is LibTorch: headers, libtorch_cpu and libc10; with `cuda`, libtorch_cuda and what is built
# with it, too. Only those parts are unpacked, and the wheel is fetched once for all that is not there yet.
install_libtorch() {
  local cpu="" cuda=""
  cpu_version="$torch_version $cudart $cupti layout-2"
  cuda_version="$torch_version layout-1"
  [ "$(cat "$deps/libtorch/.version" 2>/dev/null)" = "$cpu_version" ] || cpu=stale
  if [ "${1:-}" = cuda ]; then
    [ -z "$cpu" ] && [ "$(cat "$deps/libtorch/.cuda-version" 2>/dev/null)" = "$cuda_version" ] || cuda=stale
  fi
  [ -n "$cpu$cuda" ] || return 0
  fetch "LibTorch $torch_version from PyPI (530 MB, once)" "torch==$torch_version" ${cpu:+"$cudart" "$cupti"}
  if [ -n "$cpu" ]; then
    step deps "unpacking LibTorch into .deps/libtorch (0.5 GB)" "$log" unpack_for_cpu ||
      fail "the wheels could not be unpacked"
  fi
  if [ -n "$cuda" ]; then
    step deps "unpacking LibTorch for GPUs into .deps/libtorch (0.5 GB)" "$log" unpack_for_cuda ||
      fail "the wheel could not be unpacked"
  fi
  rm -rf "$deps/wheels"
}

has_cuda_library() {
  [ -e "$deps/libtorch/lib/$1" ] || [ -e "${CUDA_HOME:-/usr/local/cuda}/lib64/$1" ] ||
    PATH=$PATH:/sbin ldconfig -p | grep "[[:space:]]$1 .*x86-64" > /dev/null
}

unpack_cuda_libraries() {
  local wheel
  for wheel in "$deps"/wheels/*.whl; do
    unzip -q -o -j "$wheel" 'nvidia/*/lib/*.so*' -d "$deps/libtorch/lib" || return
  done
}

# What programs for GPUs load; linking needs none of it.
install_cuda_libraries() {
  local entry library package megabytes sum=0 packages=()
  for entry in "${cuda_libraries[@]}"; do
    read -r library package megabytes <<< "$entry"
    if ! has_cuda_library "$library"; then packages+=("$package"); sum=$((sum + megabytes)); fi
  done
  [ ${#packages[@]} -gt 0 ] || return 0
  fetch "CUDA libraries that this machine lacks from PyPI ($(awk "BEGIN{printf \"%.1f\", $sum / 1000}") GB, once):\
 ${packages[*]}" "${packages[@]}"
  step deps "unpacking them into .deps/libtorch" "$log" unpack_cuda_libraries || fail "the wheels could not be unpacked"
  rm -rf "$deps/wheels"
}

nvcc_is_there() { command -v "${CUDACXX:-nvcc}" > /dev/null; }

need_nvcc() {
  local found=none
  nvcc_is_there && found=$("${CUDACXX:-nvcc}" --version | sed -nE 's/.*release ([0-9]+)\..*/\1/p')
  [ "$found" = 13 ] || fail "a build for GPUs needs nvcc of CUDA 13; found: $found. Install NVIDIA's\
 cuda-toolkit-13-0 and add /usr/local/cuda/bin to PATH"
}

[ "${1:-}" != --cuda ] || need_nvcc
install_packages "${build_packages[@]}"
if [ "${1:-}" = --test ]; then
  # kubectl renders the Kubernetes manifests; a machine may have it, or kustomize, from elsewhere.
  command -v kubectl > /dev/null || command -v kustomize > /dev/null || test_packages+=(kubernetes-client)
  install_packages "${test_packages[@]}"
fi
[ "${1:-}" != --nightly ] || install_packages "${nightly_packages[@]}"
if [ "${1:-}" = --cuda ] || { [ "${1:-}" = --test ] && nvcc_is_there; }; then
  install_libtorch cuda
else
  install_libtorch
fi
[ "${1:-}" != --cuda ] || install_cuda_libraries
