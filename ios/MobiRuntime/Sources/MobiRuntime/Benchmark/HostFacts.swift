import Foundation

/// Facts of the phone or computer that runs this. What the system does not tell is nil, never a guess.
///
/// Battery and charging need UIKit: an app adds them in a `DeviceFacts` of its own that asks this one first.
public struct HostFacts: DeviceFacts {
  /// The program that measures.
  public let app: AppInfo
  /// Where it runs.
  public let device: Device
  private let foreground: ForegroundMonitor?

  /// Reads what does not change while the process runs.
  public init(app: AppInfo, foreground: ForegroundMonitor? = nil) {
    self.app = app
    self.foreground = foreground
    device = Self.readDevice()
  }

  /// Power mode and thermal state; the rest is nil.
  public func readConditions() -> Conditions {
    var conditions = Conditions()
    #if canImport(Darwin)
      let thermal = ThermalScale.readCurrent()
      conditions.thermalBefore = thermal.state
      conditions.thermalRaw = thermal.raw
      conditions.lowPowerMode = ProcessInfo.processInfo.isLowPowerModeEnabled
    #endif
    return conditions
  }

  /// The thermal state now.
  public func readThermalState() -> ThermalState? {
    #if canImport(Darwin)
      ThermalScale.readCurrent().state
    #else
      nil
    #endif
  }

  /// The largest resident memory of this process so far.
  public func readPeakMemory() -> Int? {
    #if canImport(Darwin)
      var usage = rusage()
      return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : nil
    #else
      // Linux's ru_maxrss counts the parent's memory from before exec too.
      let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)
      let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
      return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    #endif
  }

  /// What the app's monitor knows.
  public func readForeground() -> ForegroundMonitor.State? {
    foreground?.current
  }

  /// Waits for the app's monitor.
  public func waitForForeground() async throws {
    try await foreground?.waitForForeground()
  }

  private static func readDevice() -> Device {
    let process = ProcessInfo.processInfo
    let version = process.operatingSystemVersion
    let dotted = "\(version.majorVersion).\(version.minorVersion)"
    return Device(
      platform: platform, manufacturer: manufacturer, model: readModel(), soc: nil,
      osVersion: version.patchVersion > 0 ? "\(dotted).\(version.patchVersion)" : dotted, apiLevel: nil,
      cpuCores: process.processorCount, memoryBytes: Int(exactly: process.physicalMemory), isEmulator: isSimulator)
  }

  #if os(iOS)
    private static let platform = "ios"
  #elseif os(macOS)
    private static let platform = "macos"
  #else
    private static let platform = "linux"
  #endif

  #if canImport(Darwin)
    private static let manufacturer: String? = "Apple"
  #else
    private static let manufacturer: String? = nil
  #endif

  #if targetEnvironment(simulator)
    private static let isSimulator = true
  #else
    private static let isSimulator = false
  #endif

  /// "iPhone16,1" on a phone, the model that is simulated in a simulator, the processor's architecture on a computer.
  private static func readModel() -> String {
    if let simulated = ProcessInfo.processInfo.environment["SIMULATOR_MODEL_IDENTIFIER"] { return simulated }
    var names = utsname()
    guard uname(&names) == 0 else { return "unknown" }
    return withUnsafeBytes(of: &names.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
