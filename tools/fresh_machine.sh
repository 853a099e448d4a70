#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs make targets the way a newcomer would: a clone of this checkout in a Debian 12 that has nothing but make.
#   tools/fresh_machine.sh [--root DIR] [TARGET...]
# TARGET is what `make` is to do there (default: demo test). DIR is the new system's folder (default:
# .cache/fresh-root); one that an earlier run left is replaced. Needs root (or sudo) and about 12 GB; nothing of the
# host is changed but debootstrap, which is installed if missing. Prints how long each target took.
set -euo pipefail

say() { printf '[fresh] %s\n' "$*" >&2; }
fail() { printf '[fresh] error: %s\n' "$*" >&2; exit 1; }

checkout=$(cd "$(dirname "$0")/.." && pwd)
root=$checkout/.cache/fresh-root
targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --root) [ $# -gt 1 ] || fail "--root needs a folder"; root=$(realpath -m "$2"); shift ;;
    -h|--help) sed -n '3,7s/^# \?//p' "$0"; exit 0 ;;
    -*) fail "unknown option '$1' (there is --root DIR)" ;;
    *) targets+=("$1") ;;
  esac
  shift
done
[ ${#targets[@]} -gt 0 ] || targets=(demo test)

if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || fail "a new root folder needs root, and sudo is not installed; run this as root"
  exec sudo --preserve-env "$0" --root "$root" "${targets[@]}"
fi

# In namespaces of its own: mounts and processes of the new system end with this script, however it ends.
if [ -z "${RIDGELINE_FRESH_INSIDE:-}" ]; then
  command -v unshare >/dev/null || fail "unshare is missing (Debian: apt-get install util-linux)"
  RIDGELINE_FRESH_INSIDE=1 exec unshare --mount --propagation private --pid --fork --kill-child \
    bash "$0" --root "$root" "${targets[@]}"
fi

install_debootstrap() {
  command -v debootstrap >/dev/null && return 0
  say "installing debootstrap"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends debootstrap
  } >&2 || fail "apt-get could not install debootstrap"
}

# Where this host's apt gets Debian 12 from.
mirror() {
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "bookworm" { print $2; exit }'
}

make_root() {
  local from; from=$(mirror)
  [ -n "$from" ] || fail "this host's apt has no source for Debian 12 (bookworm)"
  if [ -e "$root" ]; then
    [ -e "$root/.ridgeline-fresh-root" ] || fail "$root exists and was not made by this script; choose another --root"
    rm -rf --one-file-system "$root"
  fi
  mkdir -p "$root"
  touch "$root/.ridgeline-fresh-root"
  say "making a Debian 12 in $root"
  debootstrap --variant=minbase --include=make,ca-certificates bookworm "$root" "$from" \
    > "$root/debootstrap.out" 2>&1 ||
    { tail -20 "$root/debootstrap.out" >&2; fail "debootstrap failed"; }
}

# How this host reaches its package registries, so that apt and pip work inside.
copy_registry_access() {
  local path
  rm -f "$root/etc/apt/sources.list"
  for path in /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/preferences.d \
    /etc/apt/keyrings /etc/apt/trusted.gpg.d /etc/pip.conf "$HOME/.config/pip" /etc/resolv.conf /etc/hosts \
    /usr/local/share/ca-certificates; do
    [ -e "$path" ] || continue
    mkdir -p "$root$(dirname "$path")"
    cp -rL --remove-destination "$path" "$root$(dirname "$path")/"
  done
  chroot "$root" update-ca-certificates >/dev/null 2>&1
  cp -L --remove-destination /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
}

mount_kernel_folders() {
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
}

clone_checkout() {
  [ -z "$(git -C "$checkout" status --porcelain)" ] || say "note: uncommitted changes are not in the clone"
  git -c safe.directory='*' clone --quiet --no-local "$checkout" "$root/opt/ridgeline"
  say "cloned $(git -C "$root/opt/ridgeline" log -1 --format='%h %s')"
}

# A clean environment, but for what leads to the registries.
run_inside() {
  local keep=() name
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL PIP_EXTRA_INDEX_URL \
    PIP_CERT REQUESTS_CA_BUNDLE SSL_CERT_FILE; do
    [ -z "${!name:-}" ] || keep+=("$name=${!name}")
  done
  chroot "$root" env -i HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${keep[@]}" "$@" </dev/null
}

install_debootstrap
make_root
copy_registry_access
mount_kernel_folders
clone_checkout

report=
status=0
for target in "${targets[@]}"; do
  say "make $target"
  begin=$SECONDS
  run_inside make -C /opt/ridgeline "$target" || status=$?
  took=$((SECONDS - begin))
  outcome=$([ $status = 0 ] && echo ok || echo "FAILED ($status)")
  report+=$(printf 'make %-10s %s in %d min %02d s' "$target" "$outcome" $((took / 60)) $((took % 60)))$'\n'
  [ $status = 0 ] || break
done
printf '%s' "$report"
exit $status
