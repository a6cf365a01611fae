import MobiRuntime

/// How far the benchmark is, and what its live chart shows.
struct BenchmarkState: Equatable, Sendable {
  /// One sample of the chart.
  struct Point: Equatable, Identifiable, Sendable {
    let id: Int
    let seconds: Double
    let milliseconds: Double
    let bundleName: String
  }

  /// Ten minutes: the runner tells once a second.
  static let mostPoints = 600

  let runsTotal: Int
  private(set) var runsDone = 0.0
  private(set) var bundleName = ""
  private(set) var latestInferenceNs: Int?
  private(set) var points: [Point] = []
  private var pointsNoted = 0
  /// The system's thermal state; nil where it is not known.
  var thermal: ThermalState?
  /// The app is not in the foreground: the run waits, and is marked.
  var isPaused = false

  init(runsTotal: Int, thermal: ThermalState? = nil) {
    self.runsTotal = runsTotal
    self.thermal = thermal
  }

  /// 0 to 1.
  var share: Double { runsTotal > 0 ? min(runsDone / Double(runsTotal), 1) : 0 }

  /// From 1: the run under way.
  var currentRun: Int { min(Int(runsDone) + 1, max(runsTotal, 1)) }

  /// Notes what the runner tells, `seconds` after the start.
  mutating func note(_ progress: BenchProgress, atSeconds seconds: Double) {
    runsDone = progress.runsDone
    bundleName = progress.bundleName
    guard progress.latestInferenceNs > 0 else { return }
    latestInferenceNs = progress.latestInferenceNs
    points.append(
      Point(
        id: pointsNoted, seconds: seconds, milliseconds: Double(progress.latestInferenceNs) / 1e6,
        bundleName: progress.bundleName))
    pointsNoted += 1
    if points.count > Self.mostPoints { points.removeFirst(points.count - Self.mostPoints) }
  }
}
