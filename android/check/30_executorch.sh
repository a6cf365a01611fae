#!/usr/bin/env bash
# compile and test executorch/
source "$(dirname "${BASH_SOURCE[0]}")/kotlin.sh"
source "$(dirname "${BASH_SOURCE[0]}")/android.sh"

readonly USED=$BUILD/runtime:$TOOLCHAIN/executorch.jar

compile_stubs
compile executorch "$USED:$ANDROID_CLASS_PATH" -Xexplicit-api=strict -- executorch/src/main/kotlin
compile executorch-test "$BUILD/executorch:$USED:$JUNIT_CLASS_PATH:$ANDROID_CLASS_PATH" -Xfriend-paths=$BUILD/executorch -- \
  executorch/src/test/kotlin
run_tests executorch-test "$BUILD/executorch:$USED"
