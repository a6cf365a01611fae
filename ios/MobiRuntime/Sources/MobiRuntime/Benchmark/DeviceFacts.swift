import Foundation

/// What a run says of the phone. The runner asks before, during and after a run, never inside a sample.
public protocol DeviceFacts: Sendable {
  /// The program that measures.
  var app: AppInfo { get }
  /// Where it runs.
  var device: DeviceInfo { get }
  /// The phone's state now; `thermalAfter` and `foreground` are the runner's to fill in.
  func readConditions() -> Conditions
  /// The thermal state now; nil where the system does not tell.
  func readThermalState() -> ThermalState?
  /// Largest memory of this process so far, in bytes.
  func readPeakMemory() -> Int?
  /// Whether the app is in the foreground, and how often it left; nil where there is no such thing.
  func readForeground() -> ForegroundMonitor.State?
}

/// Counts how often the app left the foreground, so that a run in which it did is marked.
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

  /// The app starts in the foreground, or is started in the background.
  public init(isForeground: Bool) {
    state = State(isForeground: isForeground, departures: 0)
  }

  /// What is known now.
  public var current: State { lock.withLock { state } }

  /// The app is active again.
  public func enter() {
    lock.withLock { state.isForeground = true }
  }

  /// The app is no longer active: a call, the lock button, another app.
  public func leave() {
    lock.withLock { state = State(isForeground: false, departures: state.departures + 1) }
  }
}

/// This process: its id, drawn when it starts, and whether it has loaded a network yet.
public final class ProcessRecord: @unchecked Sendable {
  /// The process that runs this.
  public static let current = ProcessRecord()

  /// A UUID: the system's own process numbers come back.
  public let id = UUID().uuidString.lowercased()
  private let lock = NSLock()
  private var loads = 0

  /// A record for tests; everybody else uses `current`.
  init() {}

  /// Whether a cold start is no longer possible here.
  public var hasLoaded: Bool { lock.withLock { loads > 0 } }

  /// Called by whatever loads a network.
  func noteLoad() {
    lock.withLock { loads += 1 }
  }
}
