#!/usr/bin/env bash
# compile and test runtime/
source "$(dirname "${BASH_SOURCE[0]}")/kotlin.sh"

# Java 8's API and class files: what API level 26 has, where no desugaring is needed.
compile runtime "" -Xexplicit-api=strict -Xjdk-release=1.8 -- runtime/src/main/kotlin
cp -r runtime/src/main/resources/. $BUILD/runtime/
compile runtime-test "$BUILD/runtime:$JUNIT_CLASS_PATH" -Xfriend-paths=$BUILD/runtime -- runtime/src/test/kotlin

mapfile -t tests < <(find_classes $BUILD/runtime-test Test)
timeout 300 java -ea -classpath "$BUILD/runtime-test:$BUILD/runtime:$JUNIT_CLASS_PATH:$KOTLIN_CLASS_PATH" \
  org.junit.runner.JUnitCore "${tests[@]}"
