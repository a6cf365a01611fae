import Foundation

/// Where the app keeps what: in Documents, so that Files, Finder and devicectl reach it.
struct Storage: Sendable {
  let root: URL

  /// The app's Documents.
  static func inDocuments() throws -> Storage {
    Storage(
      root: try FileManager.default.url(for: .documentDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
    )
  }

  /// Bundles, each in a folder of its own.
  var bundles: URL { root.appendingPathComponent("bundles") }

  /// The latency log.
  var log: URL { root.appendingPathComponent("latency.jsonl") }

  /// Plans and their results.
  var plans: URL { root.appendingPathComponent("plans") }

  /// Bundles that were built into the app; none in a fresh clone.
  static var builtIn: [URL] {
    guard let folder = Bundle.main.url(forResource: "Bundles", withExtension: nil) else { return [] }
    let items = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    return (items ?? []).filter { $0.hasDirectoryPath || $0.pathExtension == "zip" }
      .sorted { $0.lastPathComponent < $1.lastPathComponent }
  }
}
