import Foundation

/// One scale for every phone.
public enum ThermalState: String, CaseIterable, Sendable {
  /// Cool.
  case nominal
  /// Warm: the system begins to defer what can wait.
  case fair
  /// Hot: processors are slowed down.
  case serious
  /// Too hot: nothing measured now says what the phone can do.
  case critical
}

/// The one table from the systems' own words to `ThermalState`.
public enum ThermalScale {
  /// From `ProcessInfo.ThermalState`, which has the same four; a state that a later iOS adds is nil, never a guess.
  public static func state(ofAppleValue value: Int) -> ThermalState? {
    switch value {
    case 0: .nominal
    case 1: .fair
    case 2: .serious
    case 3: .critical
    default: nil
    }
  }

  #if canImport(Darwin)
    /// The phone's state now, on the scale and in the system's own word.
    public static func readCurrent() -> (state: ThermalState?, raw: String) {
      let state = state(ofAppleValue: ProcessInfo.processInfo.thermalState.rawValue)
      return (state, state?.rawValue ?? "\(ProcessInfo.processInfo.thermalState.rawValue)")
    }
  #endif
}
