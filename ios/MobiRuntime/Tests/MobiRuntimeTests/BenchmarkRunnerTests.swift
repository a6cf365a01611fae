import Foundation
import Testing

@testable import MobiRuntime

/// Order, warm-up, ends and marks of runs, on a clock that a fake network moves.
@Suite struct BenchmarkRunnerTests {
  private let bundle: ModelBundle
  private let clock = FakeClock()

  init() throws {
    bundle = try ContractFiles.iosBundle()
  }

  private struct ColdRuns: ColdStarter {
    let starts = Collected<String>()
    var mode = LatencyRun.Mode.cold
    var processID = UUID().uuidString.lowercased()

    func startCold(_ bundle: ModelBundle, threads: Int?) async throws -> LatencyRun {
      starts.add("\(bundle.manifest.name) \(threads ?? 0)")
      var run = try ContractFiles.goodRun()
      (run.mode, run.bundle, run.processID) = (mode, BundleRef(bundle.manifest), processID)
      return run
    }
  }

  private func classifier(
    _ bundle: ModelBundle? = nil, _ forwardNs: @escaping @Sendable (Int) -> Int = { _ in 1_000_000 }
  ) throws -> FakeClassifier {
    FakeClassifier(try (bundle ?? self.bundle).goldenOutput(), clock: clock, forwardNs: forwardNs)
  }

  private func runner(
    _ config: BenchConfig, facts: FakeFacts = FakeFacts(), cold: (any ColdStarter)? = nil,
    process: ProcessRecord = ProcessRecord(), readDate: (@Sendable () -> Date)? = nil,
    open: @escaping @Sendable (ModelBundle) async throws -> any Classifier
  ) -> BenchmarkRunner {
    let (bundle, clock) = (bundle, clock)
    return BenchmarkRunner(
      config: config, facts: facts, openClassifier: open,
      loadImage: { _ in try ContractFiles.goldenPixels(of: bundle) }, coldStarter: cold, clock: clock.monotonic,
      process: process,
      readDate: readDate ?? { Date(timeIntervalSince1970: 1_700_000_000 + Double(clock.monotonic.now()) / 1e9) })
  }

  private func runs(_ runner: BenchmarkRunner, _ bundles: [ModelBundle]) async throws -> [LatencyRun] {
    let delivered = Collected<LatencyRun>()
    try await runner.run(bundles) { delivered.add($0) }
    return delivered.items
  }

  @Test func aBurstKeepsEverySampleApart() async throws {
    let fake = try classifier()
    let delivered = try await runs(runner(try BenchConfig(runs: 2, samples: 7)) { _ in fake }, [bundle])
    #expect(delivered.map(\.runIndex) == [0, 1])
    #expect(Set(delivered.map(\.sessionID)).count == 1)
    #expect(Set(delivered.map(\.runID)).count == 2)
    let run = try #require(delivered.first)
    #expect(run.mode == .burst)
    #expect(run.inferenceNs == [Int](repeating: 1_000_000, count: 7))
    #expect(run.preprocessNs == [Int](repeating: 20, count: 7))
    #expect(run.postprocessNs == [Int](repeating: 0, count: 7))
    #expect(run.sampleAtNs == (0..<7).map { $0 * 1_000_020 })
    #expect(run.warmupNs.count == 10)
    #expect(run.loadNs == 50)
    #expect(run.firstInferenceNs == 1_000_000)
    #expect(run.compileNs == 7)
    #expect(run.golden == GoldenCheck(passed: true, maxAbsError: 0, top1Matches: true))
    #expect(run.placement == Placement(source: .plan, share: ["neural_engine": 1]))
    #expect(run.sourceImage == SourceImage(width: 8, height: 8))
    #expect(run.peakMemoryBytes == 123_456)
    #expect(run.conditions.foreground == nil)
    #expect(run.notes == nil)
    #expect(fake.closes == 3)
    #expect(try LatencyRun(jsonLine: run.jsonLine()) == run)
  }

  @Test func warmingUpLastsWhileTimesFall() async throws {
    // 100 ms less a call until 20 calls are over, then flat: windows of five compare medians.
    let fake = try classifier { 1_000_000 * max(5, 100 - 5 * $0) }
    let run = try await runs(runner(try BenchConfig(runs: 1, samples: 3)) { _ in fake }, [bundle])[0]
    #expect(run.warmupNs.count > 10)
    #expect(run.warmupNs.last == 5_000_000)
    #expect(run.notes == nil)
  }

  @Test func warmingUpThatDoesNotEndIsCutAndSaid() async throws {
    let falling = try classifier { max(1, Int(1e6 * pow(0.9, Double($0)))) }
    let run = try await runs(runner(try BenchConfig(runs: 1, samples: 3)) { _ in falling }, [bundle])[0]
    #expect(run.warmupNs.count <= 200)
    let slow = try classifier { Int(6e9 * pow(0.9, Double($0))) }
    let cut = try await runs(runner(try BenchConfig(runs: 1, samples: 1)) { _ in slow }, [bundle])[0]
    #expect(cut.warmupNs.count == 3)  // 4.9, 4.4 and 3.9 s
    #expect(cut.notes == "not warm yet after 3 inferences")
  }

  @Test func sustainedEndsByTimeAndTellsHeat() async throws {
    let clock = clock
    var facts = FakeFacts()
    facts.thermal = { clock.monotonic.now() < 5_000_000_000 ? .nominal : .serious }
    let fake = try classifier { _ in 100_000_000 }
    let progress = Collected<BenchProgress>()
    let delivered = Collected<LatencyRun>()
    let config = try BenchConfig(mode: .sustained, runs: 1, seconds: 10)
    try await runner(config, facts: facts) { _ in fake }.run([bundle], onProgress: { progress.add($0) }) {
      delivered.add($0)
    }
    let run = try #require(delivered.items.first)
    #expect(run.mode == .sustained)
    #expect(run.inferenceNs.count == 100)
    #expect(run.thermal.map(\.state) == [.nominal, .serious])
    #expect(run.thermal[0].atNs == 100_000_020)
    #expect(run.conditions.thermalBefore == .nominal)
    #expect(run.conditions.thermalAfter == .serious)
    let shares = progress.items.map(\.runsDone)
    #expect(shares.count == 10 && shares == shares.sorted())
    #expect(progress.items.last?.runsTotal == 1)
    #expect(progress.items.last?.latestInferenceNs == 100_000_000)
    #expect(progress.items.last?.bundleName == bundle.manifest.name)
  }

  @Test func severalBundlesTakeTurnsAndEachRoundBeginsWithTheNext() async throws {
    let scratch = try ScratchFolder()
    let copy = scratch.url.appendingPathComponent("other")
    try FileManager.default.copyItem(at: bundle.directory, to: copy)
    let bundles = [bundle, try ModelBundle.open(copy)]
    let opened = Collected<String>()
    let logits = try bundle.goldenOutput()
    let clock = clock
    let delivered = try await runs(
      runner(try BenchConfig(runs: 3, samples: 1)) { bundle in
        opened.add(bundle.directory.lastPathComponent)
        return FakeClassifier(logits, clock: clock)
      }, bundles)
    #expect(opened.items == ["ios", "other", "ios", "other", "other", "ios", "ios", "other"])
    #expect(delivered.count == 6)
    #expect(delivered.allSatisfy { $0.peakMemoryBytes == nil })
    #expect(interleave([Int](), rounds: 3).isEmpty)
  }

  @Test func coldStartsComeFirstFromProcessesOfTheirOwn() async throws {
    let cold = ColdRuns()
    let fake = try classifier()
    let config = try BenchConfig(threads: 3, runs: 1, samples: 1, coldStarts: 2)
    let delivered = try await runs(runner(config, cold: cold) { _ in fake }, [bundle])
    #expect(cold.starts.items == [String](repeating: "\(bundle.manifest.name) 3", count: 2))
    #expect(delivered.map(\.mode) == [.cold, .cold, .burst])
    #expect(delivered.map(\.runIndex) == [0, 1, 2])
    #expect(Set(delivered.map(\.sessionID)).count == 1)
  }

  @Test func withoutAStarterColdStartsAreRefusedWithTheWayToHaveThem() async throws {
    let fake = try classifier()
    let config = try BenchConfig(coldStarts: 1)
    let error = await thrownError { try await runs(runner(config) { _ in fake }, [bundle]) }
    #expect(error.map(errorName) == "UnsupportedError")
    #expect(error?.description.hasSuffix("Quit the app, and start it with a plan of mode cold") == true)
    #expect(fake.calls == 0)
  }

  @Test func whatIsNoColdStartOfAProcessOfItsOwnIsRefused() async throws {
    let (fake, process) = (try classifier(), ProcessRecord())
    let config = try BenchConfig(runs: 1, coldStarts: 1)
    for cold in [ColdRuns(mode: .burst), ColdRuns(processID: process.id)] {
      let error = await thrownError {
        try await runs(runner(config, cold: cold, process: process) { _ in fake }, [bundle])
      }
      #expect(error.map(errorName) == "DeviceError")
      #expect(error?.description.contains("no cold start of \(bundle.manifest.name)") == true)
    }
  }

  @Test func aClockThatIsSetDuringARunIsSaidAndNoDurationChanges() async throws {
    let fake = try classifier()
    let dates = Collected<Date>()
    let setBack = runner(
      try BenchConfig(runs: 1, samples: 2),
      readDate: {
        dates.add(Date(timeIntervalSince1970: 1_700_000_000 - 3600 * Double(dates.items.count / 3)))
        return dates.items.last!
      }
    ) { _ in fake }
    let run = try await runs(setBack, [bundle])[0]
    #expect(run.notes == "the phone's clock was set back by 3600 s during this run")
    #expect(run.inferenceNs == [1_000_000, 1_000_000])
  }

  @Test func aColdRunIsTheFirstLoadOfItsProcess() async throws {
    let fake = try classifier()
    let process = ProcessRecord()
    let cold = runner(try BenchConfig(), process: process) { _ in fake }
    let run = try await cold.runCold(bundle)
    #expect(run.mode == .cold)
    #expect(run.processID == process.id)
    #expect(run.inferenceNs.isEmpty && run.warmupNs.isEmpty)
    #expect(run.loadNs == 50 && run.firstInferenceNs == 1_000_000)
    #expect(try LatencyRun(jsonLine: run.jsonLine()) == run)
    #expect(fake.closes == 1)
    let error = await thrownError { try await cold.runCold(bundle) }
    #expect(error?.description.contains("no start in it is cold") == true)
  }

  @Test func aWrongGoldenImageStopsEverythingBeforeATimeIsTaken() async throws {
    let (wrong, short) = (FakeClassifier([-0.25, 1.5]), FakeClassifier([.nan, 0]))
    for (fake, words) in [(wrong, "another top-1 class"), (short, "got not a number")] {
      let delivered = Collected<LatencyRun>()
      let error = await thrownError {
        try await runner(try BenchConfig(runs: 1)) { _ in fake }.run([bundle]) { delivered.add($0) }
      }
      #expect(error.map(errorName) == "ParityError")
      #expect(error?.description.contains(words) == true)
      #expect(error?.description.contains("Nothing was measured") == true)
      #expect(delivered.items.isEmpty && fake.closes == 1 && fake.calls == 1)
    }
    let shape = await thrownError { try GoldenCheck([1], of: bundle) }
    #expect(shape?.description.contains("logits of another shape here, got 1; allowed: 2") == true)
  }

  @Test func anErrorOfTheNetworkClosesIt() async throws {
    let fake = try classifier()
    fake.onForward = { if $0 == 4 { throw MobiError.device("out of memory") } }
    let error = await thrownError { try await runs(runner(try BenchConfig(runs: 1)) { _ in fake }, [bundle]) }
    #expect(error == .device("out of memory"))
    #expect(fake.closes == 2)
    let unloadable = try classifier()
    unloadable.loadError = MobiError.conversion("Core ML refused it")
    let refused = await thrownError {
      try await runs(runner(try BenchConfig(runs: 1)) { _ in unloadable }, [bundle])
    }
    #expect(refused == .conversion("Core ML refused it"))
    #expect(unloadable.closes == 1)
  }

  @Test func cancellationDropsTheRunUnderWayAndKeepsWholeOnes() async throws {
    let fake = try classifier()
    let delivered = Collected<LatencyRun>()
    let measuring = runner(try BenchConfig(runs: 5, samples: 5)) { _ in fake }
    let task = Task {
      try await measuring.run([bundle]) {
        delivered.add($0)
        if delivered.items.count == 2 { withUnsafeCurrentTask { $0?.cancel() } }
      }
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(delivered.items.count == 2)
    #expect(fake.closes == 4)
  }

  @Test func aRunThatLeavesTheForegroundPausesAndIsMarked() async throws {
    let monitor = ForegroundMonitor(isForeground: true)
    var facts = FakeFacts()
    facts.foreground = monitor
    let fake = try classifier()
    let clock = clock
    // The golden check before everything, that of the run, 10 to warm up, 3 samples: then a call comes in.
    fake.onForward = { call in
      guard call == 15 else { return }
      monitor.leave()
      Task {
        clock.advance(60_000_000_000)
        monitor.enter()
      }
    }
    let delivered = try await runs(runner(try BenchConfig(runs: 2, samples: 8), facts: facts) { _ in fake }, [bundle])
    let paused = try #require(delivered.first)
    #expect(paused.conditions.foreground == false)
    #expect(paused.notes == "the app left the foreground during this run")
    #expect(paused.inferenceNs == [Int](repeating: 1_000_000, count: 8))
    #expect(paused.sampleAtNs[3] >= 60_000_000_000 && paused.sampleAtNs[2] < 10_000_000)
    #expect(delivered[1].conditions.foreground == true)
    #expect(delivered[1].notes == nil)
  }

  @Test func noSampleIsTakenInTheBackgroundEvenIfTheAppLeavesAtTheLastMoment() async throws {
    let monitor = ForegroundMonitor(isForeground: true)
    let waits = Collected<Bool>()
    var facts = FakeFacts()
    facts.foreground = monitor
    facts.onForeground = {  // before the run, before warming up, before the samples: there it leaves at once
      waits.add(true)
      if waits.items.count == 3 { monitor.leave() }
    }
    let fake = try classifier()
    fake.onForward = { call in
      if call == 12 { Task { monitor.enter() } }
    }
    let run = try await runs(runner(try BenchConfig(runs: 1, samples: 3), facts: facts) { _ in fake }, [bundle])[0]
    #expect(waits.items.count == 4)
    #expect(fake.calls == 16)  // 2 golden, 10 to warm up, 1 that is dropped, 3 samples
    #expect(run.conditions.foreground == false)
  }

  @Test func aPhoneThatIsInTheBackgroundIsWaitedForAndTheWaitCanBeCancelled() async throws {
    let monitor = ForegroundMonitor(isForeground: false)
    var facts = FakeFacts()
    facts.foreground = monitor
    let fake = try classifier()
    let waiting = runner(try BenchConfig(runs: 1, samples: 1), facts: facts) { _ in fake }
    let task = Task { try await runs(waiting, [bundle]) }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    monitor.leave()
    #expect(monitor.current == .init(isForeground: false, departures: 0))
    let later = Task { try await monitor.waitForForeground() }
    monitor.enter()
    try await later.value
    let run = try await runs(waiting, [bundle])[0]
    #expect(run.conditions.foreground == true)
  }

  @Test func aBundleThatIsRemovedWhileItIsMeasuredIsSaid() async throws {
    let scratch = try ScratchFolder()
    let copy = scratch.url.appendingPathComponent("bundle")
    try FileManager.default.copyItem(at: bundle.directory, to: copy)
    let doomed = try ModelBundle.open(copy)
    let fake = try classifier()
    let delivered = Collected<LatencyRun>()
    let error = await thrownError {
      try await runner(try BenchConfig(runs: 2, samples: 1)) { _ in fake }.run([doomed]) {
        delivered.add($0)
        try FileManager.default.removeItem(at: copy)
      }
    }
    #expect(error.map(errorName) == "BundleError")
    #expect(error?.description.contains("cannot be read any more") == true)
    #expect(delivered.items.count == 1)
  }

  @Test func aBundleThatIsDamagedIsNotMeasured() async throws {
    let scratch = try ScratchFolder()
    let copy = scratch.url.appendingPathComponent("bundle")
    try FileManager.default.copyItem(at: bundle.directory, to: copy)
    let damaged = try ModelBundle.open(copy)
    try Data("dog\ncat\n".utf8).write(to: copy.appendingPathComponent("labels.txt"))
    let fake = try classifier()
    let error = await thrownError { try await runs(runner(try BenchConfig(runs: 1)) { _ in fake }, [damaged]) }
    #expect(error?.description.hasPrefix("labels.txt is damaged") == true)
    #expect(fake.calls == 0)
  }

  @Test func aRunnerMeasuresOneThingAtATime() async throws {
    let fake = try classifier()
    let measuring = runner(try BenchConfig(runs: 1, samples: 1)) { _ in fake }
    let bundle = bundle
    let errors = Collected<MobiError?>()
    try await measuring.run([bundle]) { _ in
      errors.add(await thrownError { try await measuring.run([bundle]) { _ in } })
    }
    #expect(errors.items.first??.description.hasPrefix("this runner is measuring already") == true)
    try await measuring.run([bundle]) { _ in }
  }

  @Test func settingsOutOfRangeAreRefusedByName() {
    let wrong: [(String, () throws -> BenchConfig)] = [
      ("threads", { try BenchConfig(threads: 0) }), ("runs", { try BenchConfig(runs: 0) }),
      ("samples", { try BenchConfig(samples: 300_001) }), ("cold_starts", { try BenchConfig(coldStarts: -1) }),
      ("seconds", { try BenchConfig(seconds: .nan) }), ("seconds", { try BenchConfig(seconds: 3601) }),
    ]
    for (name, make) in wrong {
      let error = mobiError { _ = try make() }
      #expect(error?.kind == "ConfigError")
      #expect(error?.text.hasPrefix(name) == true)
    }
  }
}
