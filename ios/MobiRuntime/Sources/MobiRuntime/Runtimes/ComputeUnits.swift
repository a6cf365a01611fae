/// The Core ML compute units that a network may run on, by the names of `MLComputeUnits`; what runs where is Core ML's to decide.
public enum ComputeUnits: String, CaseIterable, Sendable {
  /// Neural Engine, GPU and CPU.
  case all
  /// No GPU.
  case cpuAndNeuralEngine
  /// No Neural Engine.
  case cpuAndGPU
  /// The CPU alone.
  case cpuOnly

  /// What a bundle's manifest asks for; `all` where it asks for nothing.
  ///
  /// Throws `MobiError.unsupported` where the manifest names units that this version does not know.
  public init(_ target: Manifest.Target) throws {
    guard let named = target.computeUnits else {
      self = .all
      return
    }
    guard let units = ComputeUnits(rawValue: named) else {
      throw MobiError.unsupported(
        "the bundle asks for compute units that this app does not know", got: named.shown,
        allowed: Self.allCases.map(\.rawValue).joined(separator: ", "), hint: "Update the app")
    }
    self = units
  }
}
