#!/usr/bin/env bash
# Type-checks what needs Apple's frameworks where there are none: MobiRuntime's Apple-bound files and the app, against the
# stub modules in ios/Stubs, which declare only the API in use. In Swift 6 mode with warnings as errors; nothing is linked.
# Stubs are compiled into a folder of their own: on a module path they would make `canImport` true for every other build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly PRODUCTS=MobiRuntime/.build-stubs
readonly FLAGS=(-swift-version 6 -warnings-as-errors -parse-as-library -I "$PRODUCTS")

# In this order: a module imports only those before it.
readonly STUBS=(
  CoreVideo CoreGraphics ImageIO CoreML ExecuTorch Security Network UniformTypeIdentifiers UIKit SwiftUI PhotosUI Charts
)

emit_module() {
  local name=$1
  shift
  ./toolchain.sh run swiftc "${FLAGS[@]}" -emit-module -module-name "$name" -emit-module-path "$PRODUCTS/$name.swiftmodule" "$@"
}

rm -rf "$PRODUCTS"
mkdir -p "$PRODUCTS"
for stub in "${STUBS[@]}"; do emit_module "$stub" Stubs/"$stub"/*.swift; done
mapfile -t runtime < <(find MobiRuntime/Sources/MobiRuntime -name '*.swift' | sort)
emit_module MobiRuntime -package-name mobiruntime -enable-testing "${runtime[@]}"
mapfile -t app < <(find MobiBench/MobiBench -name '*.swift' | sort)
emit_module MobiBench -enable-testing "${app[@]}"
./toolchain.sh run swiftc -swift-version 6 -warnings-as-errors -typecheck -module-name MobiBenchUITests \
  Stubs/XCUITest.swift MobiBench/MobiBenchUITests/*.swift
