import Foundation

/// A latency log: JSON Lines, append-only, one run a line, each on disk before `append` returns.
public actor LatencyLog {
  /// A line that is no run: where it is, and why.
  public struct SetAside: Equatable, Sendable {
    /// From 1.
    public let line: Int
    /// Names the field.
    public let reason: String
  }

  /// What a log holds.
  public struct Contents: Equatable, Sendable {
    /// In the log's order, each once.
    public var runs: [LatencyRun] = []
    /// What was cut by a kill, or is of another version.
    public var setAside: [SetAside] = []
  }

  /// Where it lies.
  public nonisolated let url: URL

  /// Nothing is made before the first run.
  public init(at url: URL) {
    self.url = url
  }

  /// Adds a run.
  ///
  /// If a kill left the log in the middle of a line, that line is ended first: it stays set aside, and this one is
  /// whole. Throws `MobiError.data` where the run breaks the contract and `MobiError.device` where the phone has no
  /// space; either way the log is as it was.
  public func append(_ run: LatencyRun) throws {
    let line = try run.jsonLine()
    do {
      if !FileManager.default.fileExists(atPath: url.path) {
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data().write(to: url, options: .withoutOverwriting)
      }
      let file = try FileHandle(forUpdating: url)
      defer { try? file.close() }
      let end = try file.seekToEnd()
      do {
        try file.write(contentsOf: Data(try Self.lineEnd(of: file, at: end) + line + [UInt8(ascii: "\n")]))
        try file.synchronize()
      } catch {
        try? file.truncate(atOffset: end)
        throw error
      }
    } catch let error as CocoaError {
      throw MobiError.device(
        "the latency log cannot be written: \(error.localizedDescription)", hint: "Free some space and run it again")
    }
  }

  /// Every whole run and every line that is none; empty where there is no log yet.
  public func read() throws -> Contents {
    var contents = Contents()
    guard FileManager.default.fileExists(atPath: url.path) else { return contents }
    var seen: Set<String> = []
    let lines = try Data(contentsOf: url, options: .mappedIfSafe).split(
      separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() where !line.allSatisfy({ [32, 9, 13].contains($0) }) {
      do {
        let run = try LatencyRun(jsonLine: line)
        if seen.insert(run.runID.lowercased()).inserted { contents.runs.append(run) }
      } catch let error as MobiError {
        contents.setAside.append(SetAside(line: index + 1, reason: error.description))
      }
    }
    return contents
  }

  private static func lineEnd(of file: FileHandle, at end: UInt64) throws -> [UInt8] {
    guard end > 0 else { return [] }
    try file.seek(toOffset: end - 1)
    let last = try file.read(upToCount: 1)
    try file.seekToEnd()
    return last == Data([UInt8(ascii: "\n")]) ? [] : [UInt8(ascii: "\n")]
  }
}
