import Foundation
import Testing

@testable import MobiRuntime

/// The good and bad bundles of contract 1, as folders and as zip files.
@Suite struct BundleContractTests {
  struct Case: Decodable {
    let name: String
    let base: String?
    let zip: String?
    let manifestEdits: [Edit]?
    let files: Changes?
    let expect: String
    let error: String?
    let names: String?
  }

  struct Edit: Decodable {
    let at, remove: Int
    let insert: String?
    let insertHex: String?
    let times: Int?

    var bytes: [UInt8] {
      let once =
        insertHex.map { hex in
          stride(from: 0, to: hex.utf8.count, by: 2).map { start in
            UInt8(hex.dropFirst(start).prefix(2), radix: 16)!
          }
        } ?? Array((insert ?? "").utf8)
      return Array(repeatElement(once, count: times ?? 1).joined())
    }
  }

  struct Changes: Decodable {
    let remove: [String]?
    let folder: [String]?
    let write: [String: String]?
    let writeOutside: [String: String]?
    let link: [String: String]?
  }

  @Test func everyFolderIsUsedOrRefusedAsExpected() throws {
    let cases = try Self.decodeCases("bundles/cases.json")
    #expect(cases.count >= 140)
    for item in cases {
      let scratch = try ScratchFolder()
      let folder = try Self.prepare(item, in: scratch)
      check(item) { try ModelBundle.open(folder).verifyFiles() }
    }
  }

  @Test func everyZipIsUsedOrRefusedAsExpectedAndLeavesNothing() async throws {
    let cases = try Self.decodeCases("bundles/zips.json")
    #expect(cases.count >= 20)
    for item in cases {
      let scratch = try ScratchFolder()
      let store = BundleStore(at: scratch.url)
      let zip = ContractFiles.folder.appendingPathComponent("bundles/\(item.zip!)")
      var thrown: (any Error)?
      do { _ = try await store.add(from: zip) } catch { thrown = error }
      check(item) { if let thrown { throw thrown } }
      let left = try FileManager.default.contentsOfDirectory(atPath: scratch.url.path)
      #expect(left.allSatisfy { item.expect == "use" && !$0.hasPrefix(".partial") }, "\(item.name) left \(left)")
    }
  }

  private func check(_ item: Case, _ body: () throws -> Void) {
    let error = mobiError(body)
    if item.expect == "use" {
      #expect(error == nil, "\(item.name): \(error?.text ?? "")")
      return
    }
    #expect(error?.kind == item.error, "\(item.name): \(error?.text ?? "it was used")")
    if let names = item.names, !names.isEmpty, let error {
      #expect(error.text.contains(names), "\(item.name): \(error.text)")
    }
  }

  /// The folder of the case `name`.
  static func prepareCase(_ name: String, in scratch: ScratchFolder) throws -> URL {
    let item = try #require(decodeCases("bundles/cases.json").first { $0.name == name })
    return try prepare(item, in: scratch)
  }

  private static func prepare(_ item: Case, in scratch: ScratchFolder) throws -> URL {
    let files = FileManager.default
    let folder = scratch.url.appendingPathComponent("bundle")
    try files.copyItem(at: ContractFiles.folder.appendingPathComponent("bundles/\(item.base!)"), to: folder)
    let manifest = folder.appendingPathComponent("manifest.json")
    if let edits = item.manifestEdits {
      let original = Array(try Data(contentsOf: manifest))
      var edited: [UInt8] = []
      var place = 0
      for edit in edits {
        edited += original[place..<edit.at] + edit.bytes
        place = edit.at + edit.remove
      }
      try Data(edited + original[place...]).write(to: manifest)
    }
    for name in item.files?.remove ?? [] { try files.removeItem(at: folder.appendingPathComponent(name)) }
    for name in item.files?.folder ?? [] {
      try files.createDirectory(at: folder.appendingPathComponent(name), withIntermediateDirectories: true)
    }
    for (name, text) in item.files?.write ?? [:] { try write(text, to: folder.appendingPathComponent(name)) }
    for (name, text) in item.files?.writeOutside ?? [:] {
      try write(text, to: scratch.url.appendingPathComponent(name))
    }
    for (name, target) in item.files?.link ?? [:] {
      let place = folder.appendingPathComponent(name)
      try? files.removeItem(at: place)
      try files.createSymbolicLink(atPath: place.path, withDestinationPath: target)
    }
    return folder
  }

  private static func write(_ text: String, to url: URL) throws {
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  /// Names of files are keys here, so the decoder must leave keys as they are.
  private static func decodeCases(_ path: String) throws -> [Case] {
    let text = String(decoding: try ContractFiles.bytes(path), as: UTF8.self)
    let camel = [("manifest_edits", "manifestEdits"), ("insert_hex", "insertHex"), ("write_outside", "writeOutside")]
    let renamed = camel.reduce(text) { $0.replacing("\"\($1.0)\":", with: "\"\($1.1)\":") }
    return try JSONDecoder().decode([Case].self, from: Data(renamed.utf8))
  }
}
