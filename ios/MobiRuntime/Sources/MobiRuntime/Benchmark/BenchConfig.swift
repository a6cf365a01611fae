/// How much the benchmark measures: every bundle cold `coldStarts` times, then `runs` rounds of one run each.
public struct BenchConfig: Equatable, Sendable {
  /// More do not fit into a line of the log.
  public static let largestSamples = 300_000
  /// Of one run in sustained mode.
  public static let longestSeconds = 3600.0

  /// What ends a run.
  public enum Mode: String, CaseIterable, Sendable {
    /// A number of samples.
    case burst
    /// A time, so that throttling shows.
    case sustained
  }

  /// The process's thread count; nil where the runtime decides, as Core ML does.
  public let threads: Int?
  /// What ends a run.
  public let mode: Mode
  /// Rounds.
  public let runs: Int
  /// Of a run in burst mode.
  public let samples: Int
  /// Of a run in sustained mode.
  public let seconds: Double
  /// Of every bundle; each needs a process of its own.
  public let coldStarts: Int

  /// Throws `MobiError.config` where a value is outside what is allowed.
  public init(
    threads: Int? = nil, mode: Mode = .burst, runs: Int = 10, samples: Int = 50, seconds: Double = 60,
    coldStarts: Int = 0
  ) throws {
    let checked: [(String, Int, ClosedRange<Int>)] = [
      ("threads", threads ?? 1, 1...1024), ("runs", runs, 1...10_000), ("samples", samples, 1...Self.largestSamples),
      ("cold_starts", coldStarts, 0...1000),
    ]
    for (name, value, allowed) in checked where !allowed.contains(value) {
      throw MobiError.config(
        "\(name) must be a whole number", got: "\(value)", allowed: "\(allowed.lowerBound) to \(allowed.upperBound)")
    }
    guard seconds > 0, seconds <= Self.longestSeconds else {
      throw MobiError.config(
        "seconds must be a number", got: "\(seconds)", allowed: "0 < seconds ≤ 3600", hint: "Try 60")
    }
    self.threads = threads
    self.mode = mode
    self.runs = runs
    self.samples = samples
    self.seconds = seconds
    self.coldStarts = coldStarts
  }
}

/// Every item once a round, each round beginning with the next one: heat and drift are shared fairly.
func interleave<Item>(_ items: [Item], rounds: Int) -> [Item] {
  (0..<rounds).flatMap { start in
    items.indices.map { items[(start + $0) % items.count] }
  }
}
