import MobiRuntime

/// What the person has chosen on the benchmark screen.
struct BenchSettings: Equatable, Sendable {
  /// The folders of the bundles to measure.
  var bundles: Set<String> = []
  var mode = BenchConfig.Mode.burst
  var runs = 10
  var samples = 50
  var seconds = 60
  /// Nil: as each bundle says.
  var units: ComputeUnits?

  static let runsAllowed = 1...100
  static let samplesAllowed = 10...1000
  static let secondsAllowed = 10...3600

  /// Throws `MobiError.config` where a value is outside what is allowed.
  func makeConfig() throws -> BenchConfig {
    try BenchConfig(mode: mode, runs: runs, samples: samples, seconds: Double(seconds))
  }

  /// Whether the bundle in this folder is to be measured.
  subscript(isChosen bundle: String) -> Bool {
    get { bundles.contains(bundle) }
    set { if newValue { bundles.insert(bundle) } else { bundles.remove(bundle) } }
  }

  /// Forgets bundles that are not there any more.
  mutating func keepOnly(_ present: some Sequence<String>) {
    bundles.formIntersection(present)
  }
}
