import Foundation
import MobiRuntime
import UIKit

extension AppModel {
  /// Measures what is chosen on the screen.
  func startBenchmark() {
    let chosen = bundles.filter { settings.bundles.contains($0.directory.lastPathComponent) }
    do {
      let config = try settings.makeConfig()
      perform(.benchmarking(BenchmarkState(runsTotal: chosen.count * config.runs))) { [self, units = settings.units] in
        try await measure(chosen, config, units: units, into: RunSink(log))
      }
    } catch {
      fail(error)
    }
  }

  /// Measures bundles; every whole run is in the log when it is done.
  private func measure(
    _ chosen: [ModelBundle], _ config: BenchConfig, units: ComputeUnits?, into sink: RunSink
  ) async throws {
    let begun = ContinuousClock.now
    let runner = makeRunner(config, units: units)
    try await whileAwake {
      try await runner.run(
        chosen,
        onProgress: { progress in Task { @MainActor in self.show(progress, since: begun) } },
        deliver: { try await sink.append($0) })
    }
  }

  private func makeRunner(_ config: BenchConfig, units: ComputeUnits?) -> BenchmarkRunner {
    BenchmarkRunner(
      config: config, facts: facts, openClassifier: { try await Self.open($0, units: units) },
      loadImage: { try decodePhoto(at: $0) })
  }

  private func show(_ progress: BenchProgress, since begun: ContinuousClock.Instant) {
    let (seconds, attoseconds) = (ContinuousClock.now - begun).components
    activity.updateBenchmark { $0.note(progress, atSeconds: Double(seconds) + Double(attoseconds) / 1e18) }
    refreshConditions()
  }

  /// The screen stays on while `body` measures: a locked phone suspends the app.
  private func whileAwake(_ body: @MainActor () async throws -> Void) async throws {
    refreshConditions()
    UIApplication.shared.isIdleTimerDisabled = true
    defer { UIApplication.shared.isIdleTimerDisabled = false }
    let outcome: Result<Void, any Error>
    do {
      outcome = .success(try await body())
    } catch {
      outcome = .failure(error)
    }
    await reload()
    try outcome.get()
  }

  /// Runs the plan that the app was started with, and leaves its result beside it.
  func runLaunchPlan(_ arguments: [String]) {
    do {
      guard let launched = try LaunchPlan(arguments: arguments) else { return }
      launched.removeResult(in: storage.plans)
      let sink = RunSink(log)
      perform(.benchmarking(BenchmarkState(runsTotal: 1))) { [self] in
        planName = launched.name
        defer { planName = nil }
        let outcome: LaunchPlan.Outcome
        do {
          try await run(try launched.read(in: storage.plans), into: sink)
          outcome = LaunchPlan.Outcome(status: .finished, runs: await sink.count, error: nil)
        } catch is CancellationError {
          outcome = LaunchPlan.Outcome(status: .cancelled, runs: await sink.count, error: nil)
        } catch {
          outcome = LaunchPlan.Outcome(status: .failed, runs: await sink.count, error: error.localizedDescription)
        }
        try launched.write(outcome, in: storage.plans)
        if let sentence = outcome.error { activity.fail(sentence) }
      }
    } catch {
      fail(error)
    }
  }

  private func run(_ plan: BenchPlan, into sink: RunSink) async throws {
    let chosen = try LaunchPlan.select(plan, from: bundles)
    guard plan.mode == .cold, let bundle = chosen.first else {
      activity.updateBenchmark { $0 = BenchmarkState(runsTotal: chosen.count * plan.config.runs) }
      return try await measure(chosen, plan.config, units: plan.computeUnits, into: sink)
    }
    let runner = makeRunner(plan.config, units: plan.computeUnits)
    try await whileAwake { try await sink.append(try await runner.runCold(bundle)) }
  }
}

/// Puts runs into the log, and counts them.
private actor RunSink {
  private let log: LatencyLog
  private(set) var count = 0

  init(_ log: LatencyLog) {
    self.log = log
  }

  func append(_ run: LatencyRun) async throws {
    try await log.append(run)
    count += 1
  }
}
