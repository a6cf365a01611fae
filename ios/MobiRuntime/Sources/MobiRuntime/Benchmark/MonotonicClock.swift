/// Nanoseconds of a clock that never falls, and that counts on while the phone sleeps: a suspension shows.
public struct MonotonicClock: Sendable {
  /// Nanoseconds since a fixed time.
  public let now: @Sendable () -> Int

  /// Any source of nanoseconds: tests bring their own.
  public init(now: @escaping @Sendable () -> Int) {
    self.now = now
  }

  /// The system's `ContinuousClock`.
  public static let continuous: MonotonicClock = {
    let start = ContinuousClock.now
    return MonotonicClock { (ContinuousClock.now - start).nanoseconds }
  }()
}

extension Duration {
  /// Whole nanoseconds, rounded down.
  var nanoseconds: Int {
    let (seconds, attoseconds) = components
    return Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
  }
}
