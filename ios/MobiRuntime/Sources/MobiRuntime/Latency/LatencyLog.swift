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
    try LineFile(url: url).append(try run.jsonLine(), synchronizing: true)
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
}
