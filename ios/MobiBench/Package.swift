// swift-tools-version: 6.0
import PackageDescription

// The app's logic as a package, so that it is tested where there is no Xcode. The app itself is MobiBench.xcodeproj.
let package = Package(
  name: "MobiBench",
  platforms: [.iOS(.v16), .macOS(.v13)],
  dependencies: [.package(path: "../MobiRuntime")],
  targets: [
    .target(
      name: "MobiBench", dependencies: [.product(name: "MobiRuntime", package: "MobiRuntime")], path: "MobiBench/Logic"),
    .testTarget(name: "MobiBenchTests", dependencies: ["MobiBench"], path: "MobiBenchTests"),
  ],
  swiftLanguageModes: [.v6]
)
