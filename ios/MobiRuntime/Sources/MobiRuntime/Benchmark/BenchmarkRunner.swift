import Foundation

/// What the benchmark is at, told at most once a second and never inside a sample.
public struct BenchProgress: Equatable, Sendable {
  /// Runs that are done, parts of one included.
  public var runsDone: Double
  /// Of all bundles.
  public var runsTotal: Int
  /// The bundle that is being measured.
  public var bundleName: String
  /// Time of the last inference.
  public var latestInferenceNs: Int
}

/// The benchmark: golden checked first, bundles interleaved, every sample kept. Measures over any `Classifier`.
///
/// It runs on its own task; cancelling that task drops the run under way, and whole ones were delivered already.
public actor BenchmarkRunner {
  static let largestWarmup = 200
  static let longestWarmupNs = 10 * second
  private static let second = 1_000_000_000

  /// Opens a classifier, compiling the network first where the runtime does.
  public typealias OpenClassifier = @Sendable (ModelBundle) async throws -> any Classifier

  private let config: BenchConfig
  private let facts: any DeviceFacts
  private let openClassifier: OpenClassifier
  private let loadImage: @Sendable (URL) throws -> RGBAImage
  private let coldStarter: (any ColdStarter)?
  private let clock: MonotonicClock
  private let process: ProcessRecord
  private let readDate: @Sendable () -> Date
  private var isRunning = false

  /// - Parameters:
  ///   - openClassifier: opens what is measured.
  ///   - loadImage: decodes the golden photograph; on Apple systems `decodePhoto(at:)`.
  ///   - coldStarter: nil where no process can be started, as on a phone.
  public init(
    config: BenchConfig, facts: any DeviceFacts, openClassifier: @escaping OpenClassifier,
    loadImage: @escaping @Sendable (URL) throws -> RGBAImage,
    coldStarter: (any ColdStarter)? = nil, clock: MonotonicClock = .continuous
  ) {
    self.init(
      config: config, facts: facts, openClassifier: openClassifier, loadImage: loadImage, coldStarter: coldStarter,
      clock: clock, process: .current, readDate: { Date() })
  }

  init(
    config: BenchConfig, facts: any DeviceFacts, openClassifier: @escaping OpenClassifier,
    loadImage: @escaping @Sendable (URL) throws -> RGBAImage,
    coldStarter: (any ColdStarter)?, clock: MonotonicClock, process: ProcessRecord,
    readDate: @escaping @Sendable () -> Date
  ) {
    self.config = config
    self.facts = facts
    self.openClassifier = openClassifier
    self.loadImage = loadImage
    self.coldStarter = coldStarter
    self.clock = clock
    self.process = process
    self.readDate = readDate
  }

  /// Checks every file and golden image, then delivers each run when it is whole: cold starts first, then round after
  /// round.
  ///
  /// The next run begins when `deliver` returns, so that a run is on disk before anything else happens. An artefact is
  /// loaded anew for each run: every run stands for itself, and one network at a time is in memory. While the app is not
  /// in the foreground a run is paused; it is marked then (`conditions.foreground` is false), and no analysis counts it.
  ///
  /// Throws `MobiError.bundle` where a bundle is damaged, `MobiError.parity` where an artefact is wrong about its golden image, `CancellationError`, and what
  /// `deliver` and the classifiers throw.
  public func run(
    _ bundles: [ModelBundle], onProgress: @Sendable (BenchProgress) -> Void = { _ in },
    deliver: @Sendable (LatencyRun) async throws -> Void
  ) async throws {
    if config.coldStarts > 0, coldStarter == nil {
      throw MobiError.unsupported(
        "a cold start needs a process of its own, and this one cannot start any",
        hint: "Quit the app, and start it with a plan of mode cold")
    }
    guard !isRunning else {
      throw MobiError.config("this runner is measuring already", hint: "Wait until it is done, or cancel it")
    }
    isRunning = true
    defer { isRunning = false }
    let session = UUID().uuidString.lowercased()
    for bundle in bundles {
      try Task.checkCancellation()
      try bundle.verifyFiles()
      try await open(bundle).classifier.close()
    }
    let total = bundles.count * (config.coldStarts + config.runs)
    var index = 0
    for bundle in interleave(bundles, rounds: config.coldStarts) {
      try Task.checkCancellation()
      guard var run = try await coldStarter?.startCold(bundle, threads: config.threads) else { continue }
      try require(run, isColdRunOf: bundle)
      (run.sessionID, run.runIndex) = (session, index)
      try await deliver(run)
      index += 1
    }
    for bundle in interleave(bundles, rounds: config.runs) {
      try await facts.waitForForeground()
      let name = bundle.manifest.name
      var run = try await measure(bundle, isAlone: bundles.count == 1) { [index] share, latest in
        onProgress(
          BenchProgress(
            runsDone: Double(index) + share, runsTotal: total, bundleName: name, latestInferenceNs: latest))
      }
      (run.sessionID, run.runIndex) = (session, index)
      try await deliver(run)
      index += 1
    }
  }

  /// Loads and runs once: a cold start.
  ///
  /// Throws `MobiError.unsupported` where this process has loaded a network before: its caches are warm.
  public func runCold(_ bundle: ModelBundle) async throws -> LatencyRun {
    guard !process.hasLoaded else {
      throw MobiError.unsupported(
        "this process has loaded a network before, so no start in it is cold", hint: "Quit the app and start it anew")
    }
    try bundle.verifyFiles()
    let opened = try await open(bundle)
    let run = await opened.describe(bundle, as: .cold, facts, processID: process.id, peakBytes: facts.readPeakMemory())
    opened.classifier.close()
    return run
  }

  private func require(_ run: LatencyRun, isColdRunOf bundle: ModelBundle) throws {
    let isOurs = run.processID == process.id
    guard run.mode == .cold, run.bundle.bundleID == bundle.manifest.bundleID, !isOurs else {
      throw MobiError.device(
        "what came back is no cold start of \(bundle.manifest.name) in a process of its own",
        got: isOurs ? "a run of this process" : "\(run.mode) of \(run.bundle.bundleID)")
    }
  }

  private func open(_ bundle: ModelBundle) async throws -> OpenedBundle {
    let startedAt = Timestamp.format(readDate())
    let (conditions, foreground) = (facts.readConditions(), facts.readForeground())
    let classifier = try await openClassifier(bundle)
    do {
      process.noteLoad()
      let begun = clock.now()
      try classifier.load()
      let loaded = clock.now()
      try classifier.prepare(bundle.goldenInput())
      var logits = [Float](repeating: .nan, count: bundle.manifest.model.numClasses)
      let ready = clock.now()
      try classifier.forward(into: &logits)
      let ran = clock.now()
      let golden = try GoldenCheck(logits, of: bundle)
      try golden.require(for: bundle)
      return OpenedBundle(
        startedAt: startedAt, conditions: conditions, foreground: foreground, classifier: classifier,
        loadNs: loaded - begun, firstInferenceNs: ran - ready, golden: golden)
    } catch {
      classifier.close()
      throw error
    }
  }

  private func measure(
    _ bundle: ModelBundle, isAlone: Bool, tell: @Sendable (_ share: Double, _ latestNs: Int) -> Void
  ) async throws -> LatencyRun {
    let image = try loadImage(bundle.goldenImageURL)
    let (date, ns) = (readDate(), clock.now())
    let opened = try await open(bundle)
    let timing: Timing
    do {
      timing = try await time(opened.classifier, image, bundle, tell: tell)
    } catch {
      opened.classifier.close()
      throw error
    }
    var run = await opened.describe(
      bundle, as: config.mode == .sustained ? .sustained : .burst, facts, processID: process.id,
      peakBytes: isAlone ? facts.readPeakMemory() : nil)
    opened.classifier.close()
    run.sourceImage = image.uprightSize
    run.warmupNs = timing.warmup.inferenceNs
    run.preprocessNs = timing.samples.preprocessNs
    run.inferenceNs = timing.samples.inferenceNs
    run.postprocessNs = timing.samples.postprocessNs
    run.sampleAtNs = timing.samples.sampleAtNs
    run.thermal = timing.thermal
    let stepSeconds = Int(readDate().timeIntervalSince(date) - Double(clock.now() - ns) / Double(Self.second))
    run.notes = describeOddities(of: timing, clockStepSeconds: stepSeconds, after: run.notes)
    return run
  }

  /// What the clock and the thermometer said of one run.
  private struct Timing {
    var warmup = Samples(capacity: BenchmarkRunner.largestWarmup)
    var samples: Samples
    var thermal: [ThermalSample] = []
  }

  private func time(
    _ classifier: any Classifier, _ image: RGBAImage, _ bundle: ModelBundle,
    tell: @Sendable (_ share: Double, _ latestNs: Int) -> Void
  ) async throws -> Timing {
    let isSustained = config.mode == .sustained
    let mostSamples = isSustained ? BenchConfig.largestSamples : config.samples
    let mostNs = Int(config.seconds * Double(Self.second))
    var section = try TimedSection(classifier, image, bundle, clock)
    var timing = Timing(samples: Samples(capacity: mostSamples))
    try await whileInForeground { isInterrupted in
      try section.fill(&timing.warmup, unless: isInterrupted) { samples, elapsed in
        samples.isWarm || samples.count >= Self.largestWarmup || elapsed >= Self.longestWarmupNs
      }
    }
    var toldNs = -Self.second
    try await whileInForeground { isInterrupted in
      try section.fill(&timing.samples, unless: isInterrupted) { samples, elapsed in
        if elapsed - toldNs >= Self.second {
          toldNs = elapsed
          note(facts.readThermalState(), at: elapsed, in: &timing.thermal)
          let share = isSustained ? Double(elapsed) / Double(mostNs) : Double(samples.count) / Double(mostSamples)
          tell(min(share, 1), samples.inferenceNs.last ?? 0)
        }
        return samples.count >= mostSamples || isSustained && elapsed >= mostNs
      }
    }
    return timing
  }

  /// Repeats `fill` until it was not interrupted, and waits for the app to come back in between.
  private func whileInForeground(_ fill: (_ isInterrupted: () -> Bool) throws -> Bool) async throws {
    while true {
      try await facts.waitForForeground()
      let before = facts.readForeground()
      let isDone = try fill {
        let now = facts.readForeground()
        return now != before || now?.isForeground == false  // it may have left before the first sample
      }
      if isDone { return }
    }
  }

  private func note(_ state: ThermalState?, at elapsed: Int, in thermal: inout [ThermalSample]) {
    guard let state, state != thermal.last?.state else { return }
    thermal.append(ThermalSample(atNs: elapsed, state: state))
  }

  private func describeOddities(of timing: Timing, clockStepSeconds: Int, after first: String?) -> String? {
    var notes = first.map { [$0] } ?? []
    if clockStepSeconds != 0 {  // durations are of the other clock; people and networks set this one
      let direction = clockStepSeconds < 0 ? "back" : "forward"
      notes.append("the phone's clock was set \(direction) by \(abs(clockStepSeconds)) s during this run")
    }
    if !timing.warmup.isWarm { notes.append("not warm yet after \(timing.warmup.count) inferences") }
    if config.mode == .sustained, timing.samples.count == BenchConfig.largestSamples {
      notes.append("ended after \(BenchConfig.largestSamples) samples, the most that a line holds")
    }
    return notes.isEmpty ? nil : notes.joined(separator: "; ")
  }
}
