#!/usr/bin/env bash
# Checks the Swift code: format, the build with warnings as errors, tests with their line coverage, the optimized build.
# On Debian in the toolchain of ios/toolchain.sh, on a Mac with Xcode's. Build products stay in .build folders.
# On a Mac the app is built and tested in a simulator too: MOBISDK_SIMULATOR names one other than iPhone 16.
# Without a toolchain it says how to get one; with CI=true that is an error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly FORMATTED=(Package.swift ios/MobiRuntime/Package.swift ios/MobiRuntime/Sources ios/MobiRuntime/Tests ios/MobiBench ios/Stubs)

swift_run() { ios/toolchain.sh run swift "$@"; }

check_format() { swift_run format lint --strict --parallel --recursive "${FORMATTED[@]}"; }

# The library that an app adds by the repository's address is this one.
check_root_package() {
  swift_run package describe --type json | grep -q '"path" : "ios/MobiRuntime/Sources/MobiRuntime"' ||
    { echo "Package.swift does not point to ios/MobiRuntime/Sources/MobiRuntime" >&2; return 1; }
}

run_tests() { swift_run test --package-path ios/MobiRuntime --enable-code-coverage -Xswiftc -warnings-as-errors --quiet; }

# The app's logic; its screens need Apple's frameworks.
run_app_tests() { swift_run test --package-path ios/MobiBench -Xswiftc -warnings-as-errors --quiet; }

check_coverage() {
  python3 ios/coverage.py "$(swift_run test --package-path ios/MobiRuntime --show-codecov-path)"
}

# A Mac has the frameworks themselves.
check_against_stubs() { [ "$(uname -s)" = Darwin ] || ios/typecheck.sh; }

# The app itself, with its unit and UI tests in both languages.
run_on_simulator() {
  [ "$(uname -s)" = Darwin ] || return 0
  xcodebuild build test -quiet -project ios/MobiBench/MobiBench.xcodeproj -scheme MobiBench \
    -destination "platform=iOS Simulator,name=${MOBISDK_SIMULATOR:-iPhone 16}" CODE_SIGNING_ALLOWED=NO
}

# What an app's user gets is optimized, and the measurements are taken with it.
build_release() {
  swift_run build --package-path ios/MobiRuntime --configuration release --product FakePhone -Xswiftc -warnings-as-errors --quiet
}

# Counted in the optimized build, as it is shipped. A Mac cannot count them.
check_allocations() {
  [ "$(uname -s)" = Darwin ] || ios/toolchain.sh run ios/MobiRuntime/.build/release/FakePhone measure --check
}

if ! ios/toolchain.sh which >/dev/null 2>&1; then
  echo "ios: not checked, there is no Swift 6 toolchain: run make toolchains" >&2
  [ "${CI:-}" != true ]
  exit
fi
steps=(
  check_format check_root_package check_against_stubs run_tests check_coverage run_app_tests build_release
  check_allocations run_on_simulator
)
for step in "${steps[@]}"; do
  echo "ios: ${step//_/ }" >&2
  "$step"
done
