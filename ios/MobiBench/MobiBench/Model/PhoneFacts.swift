import Foundation
import MobiRuntime
import UIKit

/// What iOS tells of the phone: MobiRuntime's facts, and the battery, which UIKit knows.
struct PhoneFacts: DeviceFacts {
  private let host: HostFacts
  private let battery: BatteryMonitor

  init(foreground: ForegroundMonitor, battery: BatteryMonitor) {
    let info = Bundle.main.infoDictionary ?? [:]
    host = HostFacts(
      app: AppInfo(
        name: "MobiBench", version: info["CFBundleShortVersionString"] as? String ?? "0",
        build: info["CFBundleVersion"] as? String),
      foreground: foreground)
    self.battery = battery
  }

  var app: AppInfo { host.app }
  var device: Device { host.device }

  func readConditions() -> Conditions {
    var conditions = host.readConditions()
    let reading = battery.reading
    conditions.batteryLevel = reading.level
    conditions.charging = reading.isCharging
    return conditions
  }

  func readThermalState() -> ThermalState? { host.readThermalState() }
  func readPeakMemory() -> Int? { host.readPeakMemory() }
  func readForeground() -> ForegroundMonitor.State? { host.readForeground() }
  func waitForForeground() async throws { try await host.waitForForeground() }
}

/// The battery's last reading. UIKit tells it on the main thread; the benchmark asks from its own.
final class BatteryMonitor: @unchecked Sendable {
  struct Reading: Equatable, Sendable {
    /// 0 to 1; nil in a simulator.
    var level: Double?
    var isCharging: Bool?
  }

  private let lock = NSLock()
  private var latest = Reading()

  var reading: Reading { lock.withLock { latest } }

  /// Asks UIKit; the model calls it before and while it measures.
  @MainActor
  func refresh() {
    let device = UIDevice.current
    device.isBatteryMonitoringEnabled = true
    let level = device.batteryLevel
    let charging: Bool? =
      switch device.batteryState {
      case .charging, .full: true
      case .unplugged: false
      default: nil
      }
    lock.withLock { latest = Reading(level: level >= 0 ? Double(level) : nil, isCharging: charging) }
  }
}
