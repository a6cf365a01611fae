# shellcheck shell=bash
# Sourced by the steps: where things are, and one call of the Kotlin compiler for each group of sources.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly BUILD=build/check
readonly LIBRARIES=$TOOLCHAIN/kotlinc/lib
readonly KOTLIN_CLASS_PATH=$LIBRARIES/kotlin-stdlib.jar:$TOOLCHAIN/kotlinx-serialization-core.jar:$TOOLCHAIN/kotlinx-serialization-json.jar
readonly JUNIT_CLASS_PATH=/usr/share/java/junit4.jar:/usr/share/java/hamcrest-core.jar

# compile NAME CLASS_PATH [OPTION...] -- SOURCE...
# compiles folders of sources into $BUILD/NAME, a folder of classes, unless nothing of it changed since the last time.
compile() {
  local name=$1 class_path=$2 options=()
  shift 2
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  mkdir -p $BUILD
  # A test of Python's may compile at the same time.
  (
    flock 9
    compile_unless_current "$BUILD/$name" "$class_path" "${options[*]}" "$@"
  ) 9>$BUILD/.lock
}

# compile_unless_current FOLDER CLASS_PATH OPTIONS SOURCE...
compile_unless_current() {
  local made=$1 class_path=$2 key options
  read -ra options <<<"$3"
  shift 3
  key=$(hash_inputs "$class_path" "${options[*]}" "$@")
  if [ "$(cat "$made.key" 2>/dev/null)" = "$key" ]; then return; fi
  rm -rf "$made" "$made.key"
  mkdir -p "$made"
  "$TOOLCHAIN/kotlinc/bin/kotlinc" -Werror -no-stdlib -no-reflect -jvm-target 1.8 \
    -Xlambdas=class -Xsam-conversions=class -Xstring-concat=inline \
    -Xplugin="$LIBRARIES/kotlinx-serialization-compiler-plugin.jar" \
    "${options[@]}" -classpath "$class_path:$KOTLIN_CLASS_PATH" -d "$made" "$@" 9>&-
  echo "$key" >"$made.key"
}

# Java 8's API and class files: what API level 26 has, where no desugaring is needed.
compile_runtime() {
  compile runtime "" -Xexplicit-api=strict -Xjdk-release=1.8 -- runtime/src/main/kotlin
  cp -r runtime/src/main/resources/. $BUILD/runtime/
}

# Sources, the classes and jars they are compiled against, and how: what was compiled of the same is still good.
hash_inputs() {
  local class_path=$1 part
  shift
  {
    echo "$class_path $*"
    cat check/kotlin.sh "$TOOLCHAIN/.ready"
    shift
    find "$@" -name '*.kt' -type f -print0 | sort -z | xargs -0 --no-run-if-empty sha256sum
    for part in ${class_path//:/ }; do cat "$part.key" 2>/dev/null || true; done
  } | sha256sum
}

# Names of the classes in a folder whose names end like this.
find_classes() {
  (cd "$1" && find . -name "*$2.class" -type f) | sed 's|^\./||; s|\.class$||; s|/|.|g' | sort
}
