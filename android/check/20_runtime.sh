#!/usr/bin/env bash
# compile and test runtime/
source "$(dirname "${BASH_SOURCE[0]}")/kotlin.sh"

readonly LEAST_COVERAGE=90
readonly COVERED=$BUILD/runtime-covered
readonly JACOCO=/usr/share/java/org.jacoco.agent.rt.jar:/usr/share/java/org.jacoco.core.jar:/usr/share/java/asm.jar:/usr/share/java/asm-tree.jar:/usr/share/java/asm-commons.jar:/usr/share/java/asm-analysis.jar
readonly USED_BY_TESTS=$JUNIT_CLASS_PATH:$LIBRARIES/kotlin-metadata-jvm.jar

compile_runtime
check/fake_phone.sh
compile runtime-test "$BUILD/runtime:$USED_BY_TESTS" -Xfriend-paths=$BUILD/runtime -- runtime/src/test/kotlin

# run_junit SUFFIX CLASSES [JVM OPTION...]
run_junit() {
  local tests
  mapfile -t tests < <(find_classes $BUILD/runtime-test "$1")
  timeout 300 java -ea "${@:3}" -classpath "$BUILD/runtime-test:$2:$USED_BY_TESTS:$KOTLIN_CLASS_PATH" org.junit.runner.JUnitCore "${tests[@]}"
}

# Debian's agent is no agent by its manifest.
make_agent() {
  {
    echo "Premain-Class: org.jacoco.agent.rt.internal.PreMain"
    echo "Class-Path: "
    printf '  file:%s\n' ${JACOCO//:/ }
  } >$BUILD/agent.txt
  jar --create --file $BUILD/agent.jar --manifest $BUILD/agent.txt
}

make_agent
rm -rf $BUILD/coverage.exec $COVERED
java -classpath "$JACOCO" check/Coverage.java strip $BUILD/runtime $COVERED
run_junit Test $COVERED "-javaagent:$BUILD/agent.jar=destfile=$BUILD/coverage.exec,includes=dev.mobisdk.runtime.*"
# Counting lines takes time: what measures time runs without.
run_junit Speed $BUILD/runtime
java -classpath "$JACOCO" check/Coverage.java report $BUILD/coverage.exec $COVERED runtime/src/main/kotlin $LEAST_COVERAGE
