import Foundation

/// A bundle as one zip file of stored entries, read without trusting a byte of it (PKWARE's APPNOTE.TXT, sections 4.3
/// and 4.4; no ZIP64: a bundle's file has at most 4 GiB).
struct ZippedBundle {
  private static let endSignature: UInt32 = 0x0605_4b50
  private static let centralSignature: UInt32 = 0x0201_4b50
  private static let localSignature: UInt32 = 0x0403_4b50
  private static let endSize = 22
  private static let longestComment = 65_535
  private static let mostEntries = 3000
  private static let chunk = 1 << 20

  private let url: URL

  init(at url: URL) {
    self.url = url
  }

  private struct Entry {
    let name: String
    let size: Int
    let headerOffset: Int
  }

  /// Checks every entry, then writes the files and checks their hashes.
  ///
  /// Throws `MobiError.bundle`; `folder` may then hold a part, which is the caller's to remove.
  func unpack(to folder: URL) throws {
    do {
      let file = try FileHandle(forReadingFrom: url)
      defer { try? file.close() }
      let entries = try readEntries(of: file)
      let manifestEntries = entries.filter { $0.name == Manifest.fileName }
      guard manifestEntries.count == 1, manifestEntries[0].size <= Manifest.largestBytes else {
        throw MobiError.bundle("a zipped bundle must hold \(Manifest.fileName) once, stored, at most 1 MiB")
      }
      let start = try findContent(of: manifestEntries[0], in: file)
      let content = try read(file, at: start, count: manifestEntries[0].size)
      let manifest = try Manifest(parsing: content)
      let others = entries.filter { $0.name != Manifest.fileName }
      try BundleListing.checkNames(manifest.files.keys)
      try BundleListing.checkNames(others.map(\.name))
      for entry in others { try BundleListing.checkSize(of: entry.name, entry.size, against: manifest.files) }
      if let missing = Set(manifest.files.keys).subtracting(others.map(\.name)).min() {
        throw MobiError.bundle(
          "a bundle lacks a file that its manifest lists", got: missing.shown, hint: "Copy it again, whole")
      }
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try Data(content).write(to: folder.appendingPathComponent(Manifest.fileName))
      for entry in others { try copy(entry, from: file, to: folder.appendingPathComponent(entry.name)) }
      try ModelBundle.open(folder).verifyFiles()
    } catch let error as CocoaError {
      throw MobiError.bundle("the zip file cannot be unpacked: \(error.localizedDescription)", got: url.path.shown)
    }
  }

  private func readEntries(of file: FileHandle) throws -> [Entry] {
    let length = Int(try file.seekToEnd())
    let tailStart = max(0, length - Self.endSize - Self.longestComment)
    let tail = try read(file, at: tailStart, count: length - tailStart)
    guard
      let end = stride(from: tail.count - Self.endSize, through: 0, by: -1).first(where: {
        tail.word(at: $0) == Self.endSignature && $0 + Self.endSize + tail.half(at: $0 + 20) == tail.count
      })
    else { throw MobiError.bundle("this is no whole zip file", got: url.path.shown) }
    let (count, size, offset) = (tail.half(at: end + 10), Int(tail.word(at: end + 12)), Int(tail.word(at: end + 16)))
    guard count <= Self.mostEntries, tail.half(at: end + 8) == count, tail.half(at: end + 4) == 0,
      offset + size == tailStart + end
    else { throw MobiError.bundle("this is no whole zip file: its directory does not fit", got: url.path.shown) }
    let directory = try read(file, at: offset, count: size)
    var entries: [Entry] = []
    var place = 0
    for _ in 0..<count {
      guard place + 46 <= directory.count, directory.word(at: place) == Self.centralSignature else {
        throw MobiError.bundle("this is no whole zip file: its directory is damaged", got: url.path.shown)
      }
      let nameEnd = place + 46 + directory.half(at: place + 28)
      guard nameEnd <= directory.count, let name = String(validating: directory[(place + 46)..<nameEnd], as: UTF8.self)
      else { throw MobiError.bundle("a name in the zip file is not UTF-8", got: url.path.shown) }
      try check(directory, at: place, name: name)
      if !name.hasSuffix("/") {
        entries.append(
          Entry(
            name: name, size: Int(directory.word(at: place + 24)), headerOffset: Int(directory.word(at: place + 42))))
      }
      place = nameEnd + directory.half(at: place + 30) + directory.half(at: place + 32)
    }
    return entries
  }

  private func check(_ directory: [UInt8], at place: Int, name: String) throws {
    let isStored =
      directory.half(at: place + 10) == 0 && directory.word(at: place + 20) == directory.word(at: place + 24)
    let isPlain = directory.half(at: place + 8) & 1 == 0 && directory.half(at: place + 6) & 0xff <= 45
    guard isStored, isPlain else {
      throw MobiError.bundle("an entry of a zipped bundle must be stored as it is", got: name.shown)
    }
    let kind = directory.word(at: place + 38) >> 16 & 0o170000
    guard kind == 0 || kind == 0o100000 || kind == 0o040000 && name.hasSuffix("/") else {
      throw MobiError.bundle("a bundle may hold only files and folders, no links or devices", got: name.shown)
    }
  }

  /// Where an entry's bytes begin: behind its local header, which must tell the same as the directory.
  private func findContent(of entry: Entry, in file: FileHandle) throws -> Int {
    let header = try read(file, at: entry.headerOffset, count: 30)
    let nameLength = header.half(at: 26)
    let name = try read(file, at: entry.headerOffset + 30, count: nameLength)
    guard header.word(at: 0) == Self.localSignature, name.elementsEqual(entry.name.utf8), header.half(at: 8) == 0,
      header.half(at: 6) & 1 == 0
    else {
      throw MobiError.bundle("an entry of the zip file is not what its directory says", got: entry.name.shown)
    }
    return entry.headerOffset + 30 + nameLength + header.half(at: 28)
  }

  private func copy(_ entry: Entry, from file: FileHandle, to target: URL) throws {
    try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data().write(to: target, options: .withoutOverwriting)
    let output = try FileHandle(forWritingTo: target)
    defer { try? output.close() }
    var place = try findContent(of: entry, in: file)
    let end = place + entry.size
    while place < end {
      let piece = try read(file, at: place, count: min(Self.chunk, end - place))
      try output.write(contentsOf: Data(piece))
      place += piece.count
    }
  }

  private func read(_ file: FileHandle, at offset: Int, count: Int) throws -> [UInt8] {
    try file.seek(toOffset: UInt64(offset))
    let bytes = count > 0 ? Array(try file.read(upToCount: count) ?? Data()) : []
    guard bytes.count == count else { throw MobiError.bundle("the zip file ends too early", got: url.path.shown) }
    return bytes
  }
}

extension [UInt8] {
  fileprivate func half(at index: Int) -> Int {
    Int(self[index]) | Int(self[index + 1]) << 8
  }

  fileprivate func word(at index: Int) -> UInt32 {
    UInt32(half(at: index)) | UInt32(half(at: index + 2)) << 16
  }
}
