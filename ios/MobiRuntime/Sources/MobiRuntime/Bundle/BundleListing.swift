import Foundation

/// What may lie in a bundle: names that mean one file on every file system, and no file that is not listed.
enum BundleListing {
  private static let longestPart = 200
  private static let forbidden = Set("\\:*?\"<>|\u{7f}".unicodeScalars)

  /// Refuses names that leave the bundle, or that collide when case or Unicode form is ignored.
  static func checkNames(_ names: some Sequence<String>) throws {
    var seen = [fold(Manifest.fileName): Manifest.fileName]
    var files: Set<[UInt8]> = [Array(Manifest.fileName.utf8)]
    var folders: Set<[UInt8]> = []
    for name in names {
      try checkSpelling(of: name)
      guard files.insert(Array(name.utf8)).inserted else {
        throw MobiError.bundle("a path stands twice in a bundle", got: name.shown)
      }
      let parts = name.split(separator: "/")
      for depth in 1...parts.count {
        let prefix = parts.prefix(depth).joined(separator: "/")
        if depth < parts.count { folders.insert(Array(prefix.utf8)) }
        let earlier = seen[fold(prefix)] ?? prefix
        seen[fold(prefix)] = earlier
        guard earlier.utf8.elementsEqual(prefix.utf8) else {
          throw MobiError.bundle("two paths in a bundle differ only in case or Unicode form", got: name.shown)
        }
      }
    }
    if let both = files.intersection(folders).min(by: { $0.lexicographicallyPrecedes($1) }) {
      throw MobiError.bundle(
        "a path in a bundle is both a file and a folder", got: String(decoding: both, as: UTF8.self).shown)
    }
  }

  /// Compares a folder with the manifest's files: the same regular files, of the same sizes, and no links.
  static func checkFolder(_ folder: URL, against files: [String: Manifest.FileEntry]) throws {
    var found: Set<String> = []
    var pending = [""]
    while let directory = pending.popLast() {
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent(directory).path)
      for name in names.sorted() where directory + name != Manifest.fileName {
        let path = directory + name
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.appendingPathComponent(path).path)
        switch attributes[.type] as? FileAttributeType {
        case .typeDirectory: pending.append(path + "/")
        case .typeRegular:
          try checkSize(of: path, (attributes[.size] as? NSNumber)?.intValue ?? -1, against: files)
          found.insert(path)
        default:
          throw MobiError.bundle("a bundle may hold only files and folders, no links or devices", got: path.shown)
        }
      }
    }
    if let missing = files.keys.filter({ !found.contains($0) }).min() {
      throw MobiError.bundle(
        "a bundle lacks a file that its manifest lists", got: missing.shown, hint: "Copy it again, whole")
    }
  }

  static func checkSize(of path: String, _ size: Int, against files: [String: Manifest.FileEntry]) throws {
    guard let expected = files[path] else {
      if let original = originalOfPlaceholder(path), files[original] != nil {
        throw MobiError.bundle(
          "\(original.shown) is still in iCloud, not on this phone",
          hint: "Open Files, touch and hold the bundle's folder, choose Download Now")
      }
      throw MobiError.bundle("a bundle holds a file that its manifest does not list", got: path.shown)
    }
    guard size == expected.sizeBytes else {
      throw MobiError.bundle(
        "\(path) must have \(expected.sizeBytes) bytes", got: "\(size)", hint: "Copy the bundle again, whole")
    }
  }

  private static func checkSpelling(of name: String) throws {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    if name.hasPrefix("/") || name.unicodeScalars.dropFirst().first == ":" {
      throw MobiError.bundle("a path in a bundle must be relative", got: name.shown)
    }
    if parts.contains(where: { ["", ".", ".."].contains($0) }) {
      throw MobiError.bundle("a path in a bundle must not leave it", got: name.shown)
    }
    if name.unicodeScalars.contains(where: { $0.value < 32 || forbidden.contains($0) }) {
      throw MobiError.bundle("a path in a bundle has a character that some file system forbids", got: name.shown)
    }
    if parts.contains(where: { $0.unicodeScalars.count > longestPart }) {
      throw MobiError.bundle(
        "a path in a bundle is too long", got: name.shown, allowed: "\(longestPart) characters a part")
    }
  }

  /// iOS leaves `.model.pte.icloud` where `model.pte` is not downloaded.
  private static func originalOfPlaceholder(_ path: String) -> String? {
    var parts = path.split(separator: "/").map(String.init)
    guard let last = parts.popLast(), last.hasPrefix("."), last.hasSuffix(".icloud"), last.count > 8 else { return nil }
    return (parts + [String(last.dropFirst().dropLast(7))]).joined(separator: "/")
  }

  /// Upper case, then lower: ß and SS are one, as case folding has it. Strings compare by canonical equivalence.
  private static func fold(_ name: String) -> String {
    name.uppercased().lowercased()
  }
}
