import Foundation

@testable import MobiRuntime

extension ContractFiles {
  /// The good bundle for iPhones: two classes, 8×8 pixels.
  static func iosBundle() throws -> ModelBundle {
    try ModelBundle.open(folder.appendingPathComponent("bundles/ios"))
  }

  /// The same with another manifest, whose hashes fit again.
  static func iosBundle(
    in scratch: ScratchFolder, replacing old: String, with new: String
  ) throws -> ModelBundle {
    let copy = scratch.url.appendingPathComponent("edited")
    try FileManager.default.copyItem(at: iosBundle().directory, to: copy)
    let url = copy.appendingPathComponent("manifest.json")
    var text = try String(contentsOf: url, encoding: .utf8).replacing(old, with: new)
    let manifest = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    let (id, seal) = (manifest?["bundle_id"] as? String ?? "", manifest?["manifest_sha256"] as? String ?? "")
    guard case .object(var members) = try JSONParser.parse(text.utf8) else { throw MobiError.data("no manifest") }
    for key in ["bundle_id", "created_at", "manifest_sha256", "parity"] { members[key] = nil }
    text = text.replacing(id, with: SHA256.hexDigest(of: JSONValue.object(members).canonical))
    let unsealed = text.replacing(seal, with: String(repeating: "0", count: 64))
    try Data(text.replacing(seal, with: SHA256.hexDigest(of: Array(unsealed.utf8))).utf8).write(to: url)
    return try ModelBundle.open(copy)
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
