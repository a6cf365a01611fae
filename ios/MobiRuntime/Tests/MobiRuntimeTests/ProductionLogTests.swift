import Foundation
import Testing

@testable import MobiRuntime

/// Logging in an app of others: sampled, bounded, and without anything personal.
@Suite struct ProductionLogTests {
  private final class Today: @unchecked Sendable {
    var date = Date(timeIntervalSince1970: 1_700_000_000)  // 2023-11-14 22:13:20 UTC
    var drawn = 0.5
  }

  private let scratch: ScratchFolder
  private let url: URL
  private let bundle: ModelBundle
  private let today = Today()

  init() throws {
    scratch = try ScratchFolder()
    url = scratch.url.appendingPathComponent("production.jsonl")
    bundle = try ContractFiles.iosBundle()
  }

  private func makeLog(share: Double = 1, largestBytes: Int = 1024 * 1024) throws -> ProductionLog {
    let today = today
    return try ProductionLog(
      at: url, share: share, largestBytes: largestBytes, facts: FakeFacts(), readDate: { today.date },
      random: { today.drawn })
  }

  private func sample(inferenceNs: Int = 900) throws -> ProductionLog.Sample {
    let times = Classification(
      predictions: [.init(label: "a secret", index: 0, probability: 1)], preprocessNs: 300, inferenceNs: inferenceNs,
      postprocessNs: 20)
    let runtime = RuntimeInfo(name: "coreml", version: "18.1", backendRequested: nil, computeUnits: "all", threads: nil)
    return .init(
      times, of: try RGBAImage(width: 4, height: 2, orientation: 6, bytes: [UInt8](repeating: 0, count: 32)),
      bundle: bundle, runtime: runtime, cacheState: .warm)
  }

  private func take(_ log: ProductionLog) async throws -> [LatencyRun] {
    let handed = Collected<Data>()
    try await log.handOver { handed.add($0) }
    return try handed.items.flatMap { try $0.split(separator: UInt8(ascii: "\n")).map { try LatencyRun(jsonLine: $0) } }
  }

  @Test func aLineIsAProductionRunOfTheHour() async throws {
    let log = try makeLog()
    await log.append(try sample())
    let text = try String(contentsOf: url, encoding: .utf8)
    #expect(!text.contains("secret"))
    let run = try #require(try await take(log).first)
    #expect(run.mode == .production)
    #expect(run.startedAt == "2023-11-14T22:00:00Z")
    #expect((run.preprocessNs, run.inferenceNs, run.postprocessNs) == ([300], [900], [20]))
    #expect(run.sampleAtNs == [0])
    #expect(run.sourceImage == SourceImage(width: 2, height: 4))
    #expect(run.notes == nil && run.golden == nil)
    #expect(run.processID != ProcessRecord.current.id)
  }

  @Test func idsChangeDaily() async throws {
    let log = try makeLog()
    for hours in [0.0, 1, 2, 26] {
      today.date = Date(timeIntervalSince1970: 1_700_000_000 + 3600 * hours)
      await log.append(try sample())
    }
    let runs = try await take(log)
    #expect(runs[0].sessionID == runs[1].sessionID && runs[0].processID == runs[1].processID)
    // 22:13 and 23:13 of one day, 00:13 of the next, 00:13 of the third
    #expect(Set(runs.map(\.sessionID)).count == 3)
    #expect(Set(runs.map(\.processID)).count == 3)
    #expect(runs.map(\.runIndex) == [0, 1, 0, 0])
  }

  @Test func whatIsHandedOverIsGoneUnlessTheAppRefusesIt() async throws {
    let log = try makeLog()
    await log.append(try sample())
    await #expect(throws: MobiError.server("not now")) {
      try await log.handOver { _ in throw MobiError.server("not now") }
    }
    #expect(try await take(log).count == 1)
    #expect(try await take(log).isEmpty)
  }

  @Test func theFileStaysBoundedAndTheOlderHalfGoes() async throws {
    let log = try makeLog(largestBytes: 16_384)
    for number in 0..<100 {
      await log.append(try sample(inferenceNs: number))
      let size = try FileManager.default.attributesOfItem(atPath: url.path)[.size] as? NSNumber
      #expect(try #require(size).intValue <= 16_384)
    }
    let kept = try await take(log).flatMap(\.inferenceNs)
    #expect(kept.count > 3)
    #expect(kept == Array((100 - kept.count)..<100))
  }

  @Test func aKillInTheMiddleOfALineLosesThatLineAlone() async throws {
    let log = try makeLog()
    await log.append(try sample())
    let whole = try Data(contentsOf: url)
    try (whole + Data("{\"schema".utf8)).write(to: url)
    #expect(try await take(log).count == 1)
  }

  #if os(Linux)
    @Test func aFullDiskIsToldToWhoeverAsks() async throws {
      let log = try ProductionLog(at: URL(fileURLWithPath: "/dev/full"), share: 1, facts: FakeFacts())
      #expect(await log.lastError == nil)
      await log.append(try sample())
      #expect(await log.lastError?.description.hasPrefix("full cannot be written") == true)
    }
  #endif

  @Test func onlyTheShareIsDrawn() throws {
    let log = try makeLog(share: 0.25)
    today.drawn = 0.2499
    #expect(log.draws())
    today.drawn = 0.25
    #expect(!log.draws())
    let never = try ProductionLog(at: url, share: 0, facts: FakeFacts())
    let always = try ProductionLog(at: url, share: 1, facts: FakeFacts())
    #expect((0..<100).allSatisfy { _ in !never.draws() && always.draws() })
  }

  @Test func sharesAndSizesOutOfRangeAreRefused() {
    for share in [-0.1, 1.1, .nan] { #expect(mobiError { _ = try makeLog(share: share) }?.kind == "ConfigError") }
    for bytes in [0, 17 * 1024 * 1024] {
      #expect(mobiError { _ = try makeLog(largestBytes: bytes) }?.kind == "ConfigError")
    }
  }

  @Test func classifyingAnswersWithLabelsAndLogsWhatIsDrawn() async throws {
    let log = try makeLog()
    let fake = FakeClassifier([0, 2])
    let photos = try PhotoClassifier(bundle, fake, log: log)
    let classification = try await photos.classify(try ContractFiles.goldenPixels(of: bundle))
    #expect(classification.predictions.map(\.label) == ["dog", "cat"])
    #expect(abs(classification.predictions[0].probability - 1 / (1 + exp(-2.0))) < 1e-12)
    #expect(classification.inferenceNs >= 0)
    var runs: [LatencyRun] = []
    while runs.isEmpty {
      await Task.yield()
      runs = try await take(log)
    }
    #expect(runs[0].inferenceNs == [classification.inferenceNs])
  }

  @Test func sharesThatTheNetworkGivesItselfAreNotSharedOutAgain() async throws {
    let softmax = try ContractFiles.iosBundle(
      in: scratch, replacing: "\"activation\": \"logits\"", with: "\"activation\": \"softmax\"")
    #expect(softmax.manifest.output.activation == .softmax)
    let photos = try PhotoClassifier(softmax, FakeClassifier([0, 1]))
    let certain = try await photos.classify(try ContractFiles.goldenPixels(of: softmax))
    #expect(certain.predictions.map(\.probability) == [1, 0])
    let other = try PhotoClassifier(softmax, FakeClassifier([0.75, 0.25]))
    let shared = try await other.classify(try ContractFiles.goldenPixels(of: softmax))
    #expect(abs(shared.predictions[0].probability - 0.75) < 1e-6)
  }

  @Test func withoutALogNothingIsWrittenAndTheNetworkIsClosed() async throws {
    let fake = FakeClassifier([0, 2])
    do {
      let photos = try PhotoClassifier(bundle, fake)
      _ = try await photos.classify(try ContractFiles.goldenPixels(of: bundle), count: 1)
    }
    #expect(fake.closes == 1)
    #expect(!FileManager.default.fileExists(atPath: url.path))
  }
}
