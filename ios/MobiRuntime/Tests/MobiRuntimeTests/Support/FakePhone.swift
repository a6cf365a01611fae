import Foundation

@testable import MobiRuntime

/// A clock that moves only when it is told to.
final class FakeClock: @unchecked Sendable {
  private let lock = NSLock()
  private var ns = 1_000

  var monotonic: MonotonicClock { MonotonicClock { [self] in lock.withLock { ns } } }

  func advance(_ by: Int) {
    lock.withLock { ns += by }
  }
}

/// A network that gives the golden logits, and takes the time that a test says.
final class FakeClassifier: Classifier, @unchecked Sendable {
  let runtime = RuntimeInfo(
    name: "coreml", version: "18.1", backendRequested: "coreml", computeUnits: "all", threads: nil)
  let compileNs: Int? = 7
  let cacheState = LatencyRun.CacheState.unknown
  private let logits: [Float]
  private let clock: FakeClock?
  private let forwardNs: @Sendable (_ call: Int) -> Int
  /// Called inside `forward`, by its number from 0: the first is the golden image.
  var onForward: @Sendable (_ call: Int) throws -> Void = { _ in }
  var loadError: (any Error)?
  private(set) var calls = 0
  private(set) var closes = 0

  init(
    _ logits: [Float], clock: FakeClock? = nil, forwardNs: @escaping @Sendable (_ call: Int) -> Int = { _ in 1_000_000 }
  ) {
    self.logits = logits
    self.clock = clock
    self.forwardNs = forwardNs
  }

  var readPlacement: @Sendable () async -> Placement {
    { Placement(source: .plan, share: ["neural_engine": 1]) }
  }

  func load() throws {
    if let loadError { throw loadError }
    clock?.advance(50)
  }

  func prepare(_ pixels: [UInt8]) throws {
    clock?.advance(20)
  }

  func forward(into logits: inout [Float]) throws {
    try onForward(calls)
    clock?.advance(forwardNs(calls))
    calls += 1
    for index in logits.indices { logits[index] = self.logits[index] }
  }

  func close() {
    closes += 1
  }
}

/// A phone in the hand, cool, charging or not.
struct FakeFacts: DeviceFacts {
  var app = AppInfo(name: "MobiBench", version: "1.0", build: "1")
  var device = Device(
    platform: "ios", manufacturer: "Apple", model: "iPhone16,1", soc: nil, osVersion: "18.1", apiLevel: nil,
    cpuCores: 6, memoryBytes: 8_000_000_000, isEmulator: false)
  var foreground: ForegroundMonitor?
  var thermal: @Sendable () -> ThermalState? = { .nominal }
  var onForeground: @Sendable () -> Void = {}

  func readConditions() -> Conditions {
    var conditions = Conditions()
    conditions.thermalBefore = thermal()
    conditions.lowPowerMode = false
    return conditions
  }

  func readThermalState() -> ThermalState? { thermal() }
  func readPeakMemory() -> Int? { 123_456 }
  func readForeground() -> ForegroundMonitor.State? { foreground?.current }

  func waitForForeground() async throws {
    try await foreground?.waitForForeground()
    onForeground()
  }
}

/// What several tasks add to.
final class Collected<Item: Sendable>: @unchecked Sendable {
  private let lock = NSLock()
  private var stored: [Item] = []

  var items: [Item] { lock.withLock { stored } }

  func add(_ item: Item) {
    lock.withLock { stored.append(item) }
  }
}
