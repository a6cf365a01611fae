#!/usr/bin/env bash
# Type-checks what needs Apple's frameworks where there are none: MobiRuntime's Apple-bound files and the app, against the
# stub modules in ios/Stubs, which declare only the API in use. In Swift 6 mode with warnings as errors; nothing is linked.
# Stubs are compiled into a folder of their own: on a module path they would make `canImport` true for every other build.
# A tree that has not changed since it passed is not checked again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly PRODUCTS=MobiRuntime/.build-stubs
readonly FLAGS=(-swift-version 6 -warnings-as-errors -parse-as-library -whole-module-optimization -I "$PRODUCTS")
readonly SOURCES=(typecheck.sh Stubs MobiRuntime/Sources/MobiRuntime MobiBench/MobiBench MobiBench/MobiBenchUITests)

# In this order: a module imports only those before it.
readonly STUBS=(
  CoreVideo CoreGraphics ImageIO CoreML ExecuTorch Security Network UniformTypeIdentifiers UIKit SwiftUI PhotosUI Charts
)

compile() { ./toolchain.sh run swiftc "${FLAGS[@]}" "$@"; }

emit_module() { compile -emit-module -module-name "$1" -emit-module-path "$PRODUCTS/$1.swiftmodule" "${@:2}"; }

if [ -e "$PRODUCTS/.passed" ] && [ -z "$(find "${SOURCES[@]}" -newer "$PRODUCTS/.passed" -print -quit)" ]; then exit; fi
rm -rf "$PRODUCTS"
mkdir -p "$PRODUCTS"
touch "$PRODUCTS/.begun"
for stub in "${STUBS[@]}"; do emit_module "$stub" Stubs/"$stub"/*.swift; done
mapfile -t runtime < <(find MobiRuntime/Sources/MobiRuntime -name '*.swift' | sort)
emit_module MobiRuntime -package-name mobiruntime "${runtime[@]}"
mapfile -t app < <(find MobiBench/MobiBench -name '*.swift' | sort)
compile -typecheck -module-name MobiBench "${app[@]}"
compile -typecheck -module-name MobiBenchUITests Stubs/XCUITest.swift MobiBench/MobiBenchUITests/*.swift
mv "$PRODUCTS/.begun" "$PRODUCTS/.passed"
