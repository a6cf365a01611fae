/// Takes cold runs, each in a process of its own that has loaded nothing before.
///
/// A computer starts a child. A phone's system lets no app do that: there the app itself is quit and started with a
/// plan, and calls `BenchmarkRunner.runCold`.
public protocol ColdStarter: Sendable {
  /// Starts a process for the first load and the first inference of `bundle` with `threads`, and returns its run.
  ///
  /// Throws `MobiError.device` with the child's last words where it fails or does not end.
  func startCold(_ bundle: ModelBundle, threads: Int?) async throws -> LatencyRun
}
