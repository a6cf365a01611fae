#!/usr/bin/env bash
# Makes a Swift 6 toolchain available and runs commands in it.
#   ios/toolchain.sh install           makes it available (on Debian: 2.6 GB, about 90 s, once)
#   ios/toolchain.sh which             says which one is used; exit 1 and the way to get it where there is none
#   ios/toolchain.sh run COMMAND...    runs a command of it in the current directory
# A Mac uses Xcode's toolchain, and a `swift` 6 or newer on the PATH is used as it is. Where neither is, Debian trixie's
# swiftlang lies in a chroot at $MOBISDK_SWIFT (default ${XDG_CACHE_HOME:-$HOME/.cache}/mobisdk/swift), which needs root.
# A command in the chroot sees this repository at its own path and an empty environment: pass variables as `env X=1 swift ...`.
set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
ROOT=${MOBISDK_SWIFT:-${XDG_CACHE_HOME:-$HOME/.cache}/mobisdk/swift}

fail() { echo "ios/toolchain.sh: $*" >&2; exit 1; }

# Prints xcode, path, chroot or none.
find_toolchain() {
  if [ "$(uname -s)" = Darwin ]; then
    if xcrun --find swift >/dev/null 2>&1; then echo xcode; else echo none; fi
  elif is_swift_6; then echo path
  elif [ -e "$ROOT/.ready" ]; then echo chroot
  else echo none
  fi
}

is_swift_6() {
  local major
  command -v swift >/dev/null || return 1
  major=$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+).*/\1/p' | head -n 1)
  [ "${major:-0}" -ge 6 ]
}

# Says why the chroot cannot be made here, or nothing where it can.
find_obstacle() {
  if [ "$(uname -s)" = Darwin ]; then echo "no Xcode found: install Xcode 16 or newer, then run xcode-select --install"
  elif ! grep -qx 'ID=debian' /etc/os-release 2>/dev/null; then
    echo "this system is not Debian: put Swift 6 or newer on the PATH (swift.org/install)"
  elif [ "$(id -u)" != 0 ]; then
    echo "making the chroot needs root: run this as root, or put Swift 6 or newer on the PATH (swift.org/install)"
  fi
}

install() {
  local obstacle
  [ "$(find_toolchain)" = none ] || return 0
  obstacle=$(find_obstacle)
  [ -z "$obstacle" ] || fail "$obstacle"
  mkdir -p "$(dirname "$ROOT")"
  exec 9>"$ROOT.lock"
  flock 9
  [ -e "$ROOT/.ready" ] || make_chroot "$ROOT.partial"
}

# Made beside its place and renamed: an interrupted run leaves no half toolchain that looks whole.
make_chroot() {
  local partial=$1 mirror
  if ! command -v debootstrap >/dev/null; then
    apt-get update -qq || true
    apt-get -o Dpkg::Use-Pty=0 install -y -qq --no-install-recommends debootstrap >/dev/null
  fi
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v -- -security | sort -u | head -n 1)
  [ -n "$mirror" ] || fail "apt knows no mirror: add one to /etc/apt/sources.list and run apt-get update"
  echo "Making the Swift toolchain in $ROOT (2.6 GB, once)" >&2
  rm -rf --one-file-system "$partial"
  debootstrap --variant=minbase trixie "$partial" "$mirror" >"$ROOT.log" ||
    fail "debootstrap failed; its output is in $ROOT.log"
  cp -L /etc/resolv.conf "$partial/etc/resolv.conf"
  unshare --mount --propagation private bash -euc '
    mount -t proc proc "$0/proc"
    export DEBIAN_FRONTEND=noninteractive
    chroot "$0" apt-get update -qq
    chroot "$0" apt-get -o Dpkg::Use-Pty=0 install -y -qq --no-install-recommends swiftlang libc6-dev libstdc++-14-dev
    chroot "$0" apt-get clean
    chroot "$0" rm -rf /var/lib/apt/lists' "$partial" >>"$ROOT.log" ||
    fail "installing swiftlang failed; its output is in $ROOT.log"
  touch "$partial/.ready"
  rm -rf --one-file-system "$ROOT"
  mv "$partial" "$ROOT"
  rm -f "$ROOT.log"
}

# The mount namespace is the command's own, so that several may run at once and none leaves a mount behind.
run_in_chroot() {
  [ "$(id -u)" = 0 ] || fail "the chroot in $ROOT needs root"
  case $PWD/ in "$REPOSITORY"/*) ;; *) fail "run it inside $REPOSITORY: the chroot sees nothing else, not $PWD" ;; esac
  mkdir -p "$ROOT$REPOSITORY"
  exec unshare --mount --propagation private bash -euc '
    root=$0; repository=$1; directory=$2; shift 2
    mount -t proc proc "$root/proc"
    mount --bind "$repository" "$root$repository"
    exec chroot "$root" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/bin:/bin:/usr/sbin:/sbin \
      sh -c "cd \"\$0\" && exec \"\$@\"" "$directory" "$@"' "$ROOT" "$REPOSITORY" "$(pwd -P)" "$@"
}

describe() {
  case $(find_toolchain) in
    xcode) echo "Xcode's Swift: $(xcrun --find swift)" ;;
    path) echo "Swift on the PATH: $(command -v swift)" ;;
    chroot) echo "Debian trixie's Swift in $ROOT" ;;
    none) fail "no Swift 6 toolchain: run make toolchains" ;;
  esac
}

run() {
  case $(find_toolchain) in
    xcode) exec xcrun "$@" ;;
    path) exec "$@" ;;
    chroot) run_in_chroot "$@" ;;
    none) fail "no Swift 6 toolchain: run make toolchains" ;;
  esac
}

case ${1:-} in
  install) install; describe ;;
  which) describe ;;
  run) shift; [ $# -gt 0 ] || fail "run what? For example: ios/toolchain.sh run swift --version"; run "$@" ;;
  *) sed -n '2,8s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
