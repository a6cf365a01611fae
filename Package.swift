// swift-tools-version: 6.0
import PackageDescription

// What an app adds by this repository's address. Tests and tools are in ios/MobiRuntime, the package to develop in.
let package = Package(
  name: "mobisdk",
  platforms: [.iOS(.v16), .macOS(.v13)],
  products: [.library(name: "MobiRuntime", targets: ["MobiRuntime"])],
  targets: [
    .target(
      name: "MobiRuntime",
      path: "ios/MobiRuntime/Sources/MobiRuntime",
      resources: [.copy("PrivacyInfo.xcprivacy")]
    )
  ],
  swiftLanguageModes: [.v6]
)
