# shellcheck shell=bash
# Sourced by the steps that need Android's API: newer members than the API level of the jar come from android/stubs, which
# stands before it on the class path and is never packed.

readonly APPLICATION_ID=dev.mobisdk.app MIN_SDK=26 TARGET_SDK=35
VERSION_NAME=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' ../sdk/mobisdk/__init__.py)
readonly VERSION_NAME
readonly ANDROID_CLASS_PATH=$BUILD/stubs:$TOOLCHAIN/android-23.jar

compile_stubs() {
  local made=$BUILD/stubs key
  key=$(find stubs -name '*.java' -print0 | sort -z | xargs -0 cat "$TOOLCHAIN/.ready" check/android.sh | sha256sum)
  if [ "$(cat $made.key 2>/dev/null)" = "$key" ]; then return; fi
  rm -rf $made $made.key
  mkdir -p $made
  find stubs -name '*.java' -print0 | xargs -0 javac --release 8 -Xlint:-options -classpath "$TOOLCHAIN/android-23.jar" -d $made
  echo "$key" >$made.key
}

# run_tests NAME CLASS_PATH: every JUnit test of $BUILD/NAME. Android's jar, which holds a JUnit of stubs, comes last.
run_tests() {
  local tests
  mapfile -t tests < <(find_classes "$BUILD/$1" Test)
  java -ea -classpath "$BUILD/$1:$2:$JUNIT_CLASS_PATH:$KOTLIN_CLASS_PATH:$ANDROID_CLASS_PATH" org.junit.runner.JUnitCore "${tests[@]}"
}
