#!/usr/bin/env bash
# Installs the programs that tests use where they are there: Chromium for pages, PostgreSQL for the lab server's store.
# On Debian as root; elsewhere it says what to install. What is there already is left alone.
set -euo pipefail

missing=()
command -v chromium >/dev/null || missing+=(chromium)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null || missing+=(postgresql)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "Tests of pages and of the PostgreSQL store are skipped until these are installed: ${missing[*]}" >&2
fi
