#!/usr/bin/env bash
# Runs FakePhone with these arguments: the runtime as the app uses it, on this computer.
TOOLCHAIN=$("$(dirname "${BASH_SOURCE[0]}")/../toolchain.sh" which)
source "$(dirname "${BASH_SOURCE[0]}")/kotlin.sh"
compile_runtime
# It sees the public surface alone: what an app needs is there.
compile fake-phone "$BUILD/runtime" -- runtime/src/fakePhone/kotlin
[ $# -gt 0 ] || exit 0
exec java -classpath "$BUILD/fake-phone:$BUILD/runtime:$KOTLIN_CLASS_PATH" dev.mobisdk.fakephone.FakePhoneKt "$@"
