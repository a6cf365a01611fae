import Foundation

/// A file of lines that only grows, and that a kill can leave in the middle of its last line.
struct LineFile {
  private static let newline = UInt8(ascii: "\n")

  let url: URL

  /// Adds a line; if a kill left the last one unfinished, that one is ended first, so that this one is whole.
  ///
  /// Throws `MobiError.device` where the phone has no space; the file is as it was then.
  func append(_ line: [UInt8], synchronizing: Bool) throws {
    do {
      if !FileManager.default.fileExists(atPath: url.path) {
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data().write(to: url, options: .withoutOverwriting)
      }
      let file = try FileHandle(forUpdating: url)
      defer { try? file.close() }
      let end = try file.seekToEnd()
      do {
        try file.write(contentsOf: Data(try lineEnd(of: file, at: end) + line + [Self.newline]))
        if synchronizing { try file.synchronize() }
      } catch {
        try? file.truncate(atOffset: end)
        throw error
      }
    } catch {
      throw MobiError.device(
        "\(url.lastPathComponent) cannot be written: \(error.localizedDescription)",
        hint: "Free some space and run it again")
    }
  }

  private func lineEnd(of file: FileHandle, at end: UInt64) throws -> [UInt8] {
    guard end > 0 else { return [] }
    try file.seek(toOffset: end - 1)
    let last = try file.read(upToCount: 1)
    try file.seekToEnd()
    return last == Data([Self.newline]) ? [] : [Self.newline]
  }
}
