import Foundation

/// What a run says of the phone. The runner asks before, between and after samples, never inside one.
public protocol DeviceFacts: Sendable {
  /// The program that measures.
  var app: AppInfo { get }
  /// Where it runs.
  var device: Device { get }
  /// The phone's state now; `thermalAfter` and `foreground` are the runner's to fill in.
  func readConditions() -> Conditions
  /// The thermal state now; nil where the system does not tell.
  func readThermalState() -> ThermalState?
  /// Largest memory of this process so far, in bytes.
  func readPeakMemory() -> Int?
  /// Whether the app is in the foreground, and how often it left; nil where there is no such thing. Asked after every
  /// sample, so it must not allocate.
  func readForeground() -> ForegroundMonitor.State?
  /// Returns when the app is in the foreground; at once where there is no such thing.
  ///
  /// Throws `CancellationError`.
  func waitForForeground() async throws
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
