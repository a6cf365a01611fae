#!/usr/bin/env bash
# Checks the Android code without Gradle: the numbered steps of android/check/, in their order.
# Needs the toolchain of android/toolchain.sh; what it builds stays in android/build/check.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! TOOLCHAIN=$(./toolchain.sh which 2>/dev/null); then
  echo "android: not checked, the toolchain is missing; get it with: make toolchains" >&2
  [ -z "${CI:-}" ] || exit 1
  exit 0
fi
export TOOLCHAIN

for step in check/[0-9]*.sh; do
  echo "android: $(sed -n '2s/^# //p' "$step")" >&2
  "$step"
done
