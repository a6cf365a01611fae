import Foundation

/// Counts how often the app left the foreground, so that a run in which it did pauses and is marked.
///
/// The app calls `leave` when its scene resigns active and `enter` when it is active again.
public final class ForegroundMonitor: @unchecked Sendable {
  /// What is known at one time.
  public struct State: Equatable, Sendable {
    /// Whether the app is in the foreground.
    public var isForeground: Bool
    /// How often it left.
    public var departures: Int
  }

  private let lock = NSLock()
  private var state: State
  private var waiting: [UUID: CheckedContinuation<Void, any Error>] = [:]

  /// The app starts in the foreground, or is started in the background.
  public init(isForeground: Bool) {
    state = State(isForeground: isForeground, departures: 0)
  }

  /// What is known now.
  public var current: State { lock.withLock { state } }

  /// The app is active again.
  public func enter() {
    let resumed = lock.withLock {
      state.isForeground = true
      defer { waiting = [:] }
      return waiting.values
    }
    for continuation in resumed { continuation.resume() }
  }

  /// The app is no longer active: a call, the lock button, another app.
  public func leave() {
    lock.withLock {
      if state.isForeground { state = State(isForeground: false, departures: state.departures + 1) }
    }
  }

  /// Returns when the app is in the foreground.
  ///
  /// Throws `CancellationError`.
  public func waitForForeground() async throws {
    let id = UUID()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let outcome: Result<Void, any Error>? = lock.withLock {
          if Task.isCancelled { return .failure(CancellationError()) }
          if state.isForeground { return .success(()) }
          waiting[id] = continuation
          return nil
        }
        if let outcome { continuation.resume(with: outcome) }
      }
    } onCancel: {
      lock.withLock { waiting.removeValue(forKey: id) }?.resume(throwing: CancellationError())
    }
  }
}
