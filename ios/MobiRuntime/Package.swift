// swift-tools-version: 6.0
import PackageDescription

// The package to develop in. An app adds the one at the repository's root, which holds the same library.
let package = Package(
  name: "MobiRuntime",
  platforms: [.iOS(.v16), .macOS(.v13)],
  products: [.library(name: "MobiRuntime", targets: ["MobiRuntime"])],
  targets: [
    .target(name: "MobiRuntime", resources: [.copy("PrivacyInfo.xcprivacy")]),
    .target(name: "AllocationCounter"),
    .executableTarget(name: "FakePhone", dependencies: ["MobiRuntime", "AllocationCounter"]),
    .testTarget(name: "MobiRuntimeTests", dependencies: ["MobiRuntime"]),
  ],
  swiftLanguageModes: [.v6]
)
