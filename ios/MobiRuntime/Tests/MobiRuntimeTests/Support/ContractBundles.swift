import Foundation

@testable import MobiRuntime

extension ContractFiles {
  /// The good bundle for iPhones: two classes, 8×8 pixels.
  static func iosBundle() throws -> ModelBundle {
    try ModelBundle.open(folder.appendingPathComponent("bundles/ios"))
  }

  /// The one that the recorded answers belong to.
  static func androidBundle() throws -> ModelBundle {
    try ModelBundle.open(folder.appendingPathComponent("bundles/android"))
  }

  /// The golden image as it goes into the network: Linux has no decoder.
  static func goldenPixels(of bundle: ModelBundle) throws -> RGBAImage {
    let (height, width) = (bundle.manifest.input.height, bundle.manifest.input.width)
    let rgb = try bundle.goldenInput()
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: rgb.count, by: 3) { bytes += rgb[start..<start + 3] + [255] }
    return try RGBAImage(width: width, height: height, bytes: bytes)
  }

  /// A run that keeps contract 2, with another id each time.
  static func goodRun() throws -> LatencyRun {
    var run = try LatencyRun(jsonLine: lines("latency/good.jsonl")[1])
    run.runID = UUID().uuidString.lowercased()
    return run
  }
}
