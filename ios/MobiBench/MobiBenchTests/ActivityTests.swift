import Testing

@testable import MobiBench
@testable import MobiRuntime

/// One thing at a time, and nothing disturbs a measurement.
@Suite struct ActivityTests {
  private static let request = JoinRequest.discovered(
    name: "lab", host: "10.0.0.7", port: 8443, fingerprint: String(repeating: "0f", count: 32))
  private static let busy: [Activity] = [
    .addingBundle, .downloading(name: "b", share: 0.5), .joining(host: "lab"), .classifying,
    .benchmarking(BenchmarkState(runsTotal: 3)), .uploading,
  ]

  @Test(arguments: busy) func whatRunsIsNotDisturbed(running: Activity) {
    for next in Self.busy + [.confirmingServer(Self.request)] {
      var activity = running
      let hasBegun = activity.begin(next)
      #expect(!hasBegun)
      #expect(activity == running)
    }
    var activity = running
    activity.dismiss()
    #expect(activity == running)
    #expect(running.isBusy && !running.isFailed && running.joinRequest == nil && running.failure.isEmpty)
  }

  @Test(arguments: busy) func whatRunsEndsOrFails(running: Activity) {
    var activity = running
    activity.end()
    #expect(activity == .idle)
    activity = running
    activity.fail("no space")
    #expect(activity == .failed("no space"))
    activity.end()
    #expect(activity.isFailed && activity.failure == "no space")
    activity.isFailed = false
    #expect(activity == .idle)
  }

  @Test func aServerIsAskedAboutFirst() {
    var activity = Activity.idle
    let isAsked = activity.begin(.confirmingServer(Self.request))
    #expect(isAsked)
    #expect(activity.joinRequest == Self.request)
    #expect(!activity.isBusy)
    var refused = activity
    refused.joinRequest = nil
    #expect(refused == .idle)
    let isJoining = activity.begin(.joining(host: "10.0.0.7"))
    #expect(isJoining)
    activity.joinRequest = nil
    #expect(activity == .joining(host: "10.0.0.7"))
  }

  @Test func aFailureGivesWayToWhatIsBegunNext() {
    var activity = Activity.failed("no network")
    let hasBegun = activity.begin(.uploading)
    #expect(hasBegun)
    #expect(activity == .uploading)
  }

  @Test func progressOfWhatHasEndedChangesNothing() {
    var activity = Activity.idle
    activity.noteDownload(share: 0.5)
    activity.updateBenchmark { $0.isPaused = true }
    #expect(activity == .idle)
    activity = .downloading(name: "b", share: 0)
    activity.noteDownload(share: 1.5)
    #expect(activity == .downloading(name: "b", share: 1))
    activity = .benchmarking(BenchmarkState(runsTotal: 1))
    activity.updateBenchmark { $0.isPaused = true }
    var paused = BenchmarkState(runsTotal: 1)
    paused.isPaused = true
    #expect(activity == .benchmarking(paused))
  }
}

/// What the live chart and the progress bar show.
@Suite struct BenchmarkStateTests {
  private func progress(_ done: Double, _ ns: Int = 2_500_000) -> BenchProgress {
    BenchProgress(runsDone: done, runsTotal: 4, bundleName: "b", latestInferenceNs: ns)
  }

  @Test func itCountsRunsFromOne() {
    var state = BenchmarkState(runsTotal: 4)
    #expect(state.currentRun == 1 && state.share == 0)
    state.note(progress(1.5), atSeconds: 3)
    #expect(state.currentRun == 2 && state.share == 0.375)
    state.note(progress(4), atSeconds: 9)
    #expect(state.currentRun == 4 && state.share == 1)
    #expect(BenchmarkState(runsTotal: 0).currentRun == 1)
    #expect(BenchmarkState(runsTotal: 0).share == 0)
  }

  @Test func pointsAreMillisecondsAndBounded() {
    var state = BenchmarkState(runsTotal: 4)
    state.note(progress(0, 0), atSeconds: 0)
    #expect(state.points.isEmpty && state.latestInferenceNs == nil)
    for second in 0..<(BenchmarkState.mostPoints + 5) { state.note(progress(0), atSeconds: Double(second)) }
    #expect(state.points.count == BenchmarkState.mostPoints)
    #expect(state.points[0].seconds == 5 && state.points[0].milliseconds == 2.5)
    #expect(Set(state.points.map(\.id)).count == BenchmarkState.mostPoints)
  }
}
