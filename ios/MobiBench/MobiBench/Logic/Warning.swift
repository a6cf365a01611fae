import MobiRuntime

/// What would spoil a measurement, said before and while it is taken.
enum Warning: CaseIterable, Sendable {
  case simulator
  case lowPower
  case hot
  case charging

  /// Those that hold now, the worst first.
  static func all(for conditions: Conditions, isSimulator: Bool) -> [Warning] {
    allCases.filter { warning in
      switch warning {
      case .simulator: isSimulator
      case .lowPower: conditions.lowPowerMode == true
      case .hot: conditions.thermalBefore == .serious || conditions.thermalBefore == .critical
      case .charging: conditions.charging == true
      }
    }
  }

  /// Its sentence.
  var phrase: Phrase {
    switch self {
    case .simulator: .warningSimulator
    case .lowPower: .warningLowPower
    case .hot: .warningHot
    case .charging: .warningCharging
    }
  }
}

extension ThermalState? {
  /// The state in words.
  var phrase: Phrase {
    switch self {
    case .nominal: .thermalNominal
    case .fair: .thermalFair
    case .serious: .thermalSerious
    case .critical: .thermalCritical
    case nil: .thermalUnknown
    }
  }
}

extension LatencyRun.Mode {
  /// The mode in words.
  var phrase: Phrase {
    switch self {
    case .cold: .modeNameCold
    case .burst: .modeNameBurst
    case .sustained: .modeNameSustained
    case .production: .modeNameProduction
    }
  }
}

extension ComputeUnits {
  /// The units in words.
  var phrase: Phrase {
    switch self {
    case .all: .unitsAll
    case .cpuAndNeuralEngine: .unitsCPUAndNeuralEngine
    case .cpuAndGPU: .unitsCPUAndGPU
    case .cpuOnly: .unitsCPUOnly
    }
  }
}
