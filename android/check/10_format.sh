#!/usr/bin/env bash
# ktlint
source "$(dirname "${BASH_SOURCE[0]}")/kotlin.sh"
"$TOOLCHAIN/ktlint" --relative --log-level=error '*/src/**/*.kt'
