#!/usr/bin/env bash
# Checks the Swift code: its format, the build with warnings as errors, the tests with their coverage.
# On Debian in the toolchain of ios/toolchain.sh, on a Mac with Xcode's. Build products stay in ios/MobiRuntime/.build*.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly LEAST_COVERAGE=90

swift_run() { ../toolchain.sh run "$@"; }

step() { echo "ios: $*" >&2; }

check_format() {
  step "swift format"
  (cd .. && ios/toolchain.sh run swift format lint --strict --parallel --recursive \
    Package.swift ios/MobiRuntime/Package.swift ios/MobiRuntime/Sources ios/MobiRuntime/Tests ios/Stubs)
}

# The library that an app adds by the repository's address is this one: the same target, the same platforms.
check_root_package() {
  step "root Package.swift"
  (cd .. && ios/toolchain.sh run swift package describe --type json) |
    grep -q '"path" : "ios/MobiRuntime/Sources/MobiRuntime"' ||
    { echo "Package.swift does not point to ios/MobiRuntime/Sources/MobiRuntime" >&2; return 1; }
}

build_and_test() {
  step "build and test MobiRuntime"
  (cd MobiRuntime && swift_run_in_package test --enable-code-coverage -Xswiftc -warnings-as-errors)
}

swift_run_in_package() { ../toolchain.sh run swift "$@"; }

# The core that the app's developer gets is optimized: it must build, and the measurements are taken with it.
build_release() {
  step "build FakeLab, optimized"
  (cd MobiRuntime && swift_run_in_package build --configuration release --product FakeLab -Xswiftc -warnings-as-errors)
}

print_coverage() {
  local report
  report=$(cd MobiRuntime && swift_run_in_package test --show-codecov-path)
  python3 coverage.py "$report" "$LEAST_COVERAGE"
}

check_format
check_root_package
build_and_test
build_release
print_coverage
