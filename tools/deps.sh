#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what Ridgeline builds and tests with, and nothing that is already there.
#   tools/deps.sh             build tools, libraries and LibTorch
#   tools/deps.sh --test      the same, and what the tests start (Prometheus, Slurm, a browser)
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
  gnuplot-nox bible-kjv python3 python3-pip unzip procps)
test_packages=(prometheus slurm-wlm munge sqlite3 curl fonts-dejavu-core clang-format-14 chromium)
nightly_packages=(clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14)

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

# One chain: `set -e` has no effect in a command whose failure is looked at.
unpack_libtorch() {
  cd "$deps/wheels" &&
    unzip -q torch-*.whl 'torch/include/*' 'torch/lib/libtorch_cpu.so' 'torch/lib/libtorch.so' 'torch/lib/libc10.so' \
      'torch/lib/libgomp*' 'torch-*/licenses/*' &&
    # The wheel's copies of these headers would shadow the system's, which gRPC and spdlog are built with.
    rm -rf torch/include/google/protobuf torch/include/fmt &&
    unzip -q nvidia_cuda_runtime*.whl '*/libcudart.so*' &&
    unzip -q nvidia_cuda_cupti*.whl '*/libcupti.so*' &&
    cd "$root"
}

# The PyPI wheel of torch is LibTorch: headers, libtorch_cpu and libc10. Only those parts are unpacked.
install_libtorch() {
  local stamp="$deps/libtorch/.version" want="$torch_version $cudart $cupti layout-2"
  [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && return 0
  rm -rf "$deps/libtorch" "$deps/wheels"; mkdir -p "$deps/libtorch/lib" "$deps/wheels"
  step deps "fetching LibTorch $torch_version from PyPI (530 MB, once)" "$log" \
    /usr/bin/python3 -m pip download --no-deps --disable-pip-version-check --no-cache-dir --progress-bar off \
    --dest "$deps/wheels" "torch==$torch_version" "$cudart" "$cupti" || fail "pip could not fetch torch==$torch_version"
  step deps "unpacking LibTorch into .deps/libtorch" "$log" unpack_libtorch || fail "the wheels could not be unpacked"
  mv "$deps/wheels/torch/include" "$deps/libtorch/"
  mv "$deps"/wheels/torch/lib/* "$deps"/wheels/nvidia/cu13/lib/* "$deps/libtorch/lib/"
  mkdir -p "$deps/libtorch/licenses" && cp -r "$deps"/wheels/torch-*/licenses/. "$deps/libtorch/licenses/"
  rm -rf "$deps/wheels"
  printf '%s' "$want" > "$stamp"
}

install_packages "${build_packages[@]}"
if [ "${1:-}" = --test ]; then
  # kubectl renders the Kubernetes manifests; a machine may have it, or kustomize, from elsewhere.
  command -v kubectl > /dev/null || command -v kustomize > /dev/null || test_packages+=(kubernetes-client)
  install_packages "${test_packages[@]}"
fi
[ "${1:-}" != --nightly ] || install_packages "${nightly_packages[@]}"
install_libtorch
