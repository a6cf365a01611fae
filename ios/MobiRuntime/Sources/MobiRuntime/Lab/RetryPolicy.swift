/// How long to wait before asking again: exponential backoff with full jitter, at least what the server asks for.
public struct RetryPolicy: Sendable {
  private static let firstSeconds = 1.0
  private static let longestSeconds = 60.0

  let attempts: Int
  private let sleep: @Sendable (Duration) async throws -> Void
  private let random: @Sendable () -> Double

  /// Six attempts, on the system's clock.
  public static let standard = RetryPolicy(
    attempts: 6, sleep: { try await Task.sleep(for: $0) }, random: { .random(in: 0...1) })

  /// - Parameters:
  ///   - attempts: in a row without any success.
  ///   - sleep: waits; tests do not.
  ///   - random: 0 to 1, the jitter.
  public init(
    attempts: Int, sleep: @escaping @Sendable (Duration) async throws -> Void,
    random: @escaping @Sendable () -> Double
  ) {
    self.attempts = attempts
    self.sleep = sleep
    self.random = random
  }

  /// Waits before attempt `number`, from 1.
  func wait(before number: Int, atLeastSeconds: Int?) async throws {
    let most = min(Self.firstSeconds * Double(1 << min(number, 10)), Self.longestSeconds)
    try await sleep(.seconds(Double(atLeastSeconds ?? 0) + most * random()))
  }
}
