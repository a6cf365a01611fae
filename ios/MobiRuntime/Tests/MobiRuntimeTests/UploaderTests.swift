import Foundation
import Testing

@testable import MobiRuntime

/// The recorded answers to an upload, and a log that lives through kills.
@Suite struct UploaderTests {
  private let scratch: ScratchFolder
  private let log: LatencyLog

  init() throws {
    scratch = try ScratchFolder()
    log = LatencyLog(at: scratch.url.appendingPathComponent("runs.jsonl"))
  }

  static func lines(of request: HTTPRequest) -> [Data] {
    request.body.split(separator: UInt8(ascii: "\n")).map { Data($0) }
  }

  static func accept(_ request: HTTPRequest) -> HTTPAnswer {
    HTTPAnswer(200, #"{"accepted": \#(lines(of: request).count), "duplicates": 0, "rejected": []}"#)
  }

  private func uploader(_ transport: ScriptedTransport, _ patience: PatientTest = PatientTest()) -> Uploader {
    Uploader(
      log: log.url, client: LabClient(transport: transport, token: "a-token"), retry: patience.policy(attempts: 3))
  }

  @Test func everyAnswerToAnUploadIsTakenAsExpected() async throws {
    let names = try RecordedAnswer.names("upload")
    #expect(names.count >= 14)
    for name in names {
      try? FileManager.default.removeItem(at: log.url)
      try? FileManager.default.removeItem(at: log.url.appendingPathExtension("sent"))
      try await check(name, try RecordedAnswer.load(name))
    }
  }

  private func check(_ name: String, _ recorded: RecordedAnswer) async throws {
    for _ in 0..<recorded.request.lines! { try await log.append(try ContractFiles.goodRun()) }
    let content = try Data(contentsOf: log.url)
    let sent = log.url.appendingPathExtension("sent")
    let journals = Collected<Bool>()
    let transport = ScriptedTransport { request, number in
      journals.add(FileManager.default.fileExists(atPath: sent.path))
      return number == 0 ? recorded.answer() : Self.accept(request)
    }
    let patience = PatientTest()
    let sender = uploader(transport, patience)
    let failure: MobiError?
    do {
      _ = try await sender.sendAll()
      failure = nil
    } catch let error as MobiError {
      failure = error
    }
    let progress = await sender.progress()
    let sizes = transport.requests.map { Self.lines(of: $0).count }
    #expect(try Data(contentsOf: log.url) == content, "\(name): the log was changed")
    switch recorded.expect {
    case "use":
      #expect(sizes == [3] && progress.sentBytes == content.count, "\(name)")
      #expect(progress.accepted + progress.duplicates == 3)
    case "reject_line":
      #expect(sizes == [3] && progress.sentBytes == content.count, "\(name)")
      #expect(progress.rejected.count == 3 - progress.accepted - progress.duplicates, "\(name)")
    case "retry":
      #expect(sizes == [3, 3] && progress.accepted == 3 && failure == nil, "\(name)")
      #expect(transport.requests[0].body == transport.requests[1].body)
      #expect(journals.items == [false, false], "\(name): something was marked before its answer")
      let least = recorded.response.headers["Retry-After"].flatMap { Int($0) } ?? 0
      #expect(patience.waits.items.count == 1 && patience.waits.items[0] >= .seconds(least), "\(name)")
    case "split":
      #expect(sizes == [3, 1, 1, 1] && progress.accepted == 3, "\(name): \(sizes)")
    case "sign_in", "give_up":
      #expect(sizes == [3] && failure != nil && progress == Uploader.Progress(), "\(name)")
    default: Issue.record("\(recorded.expect) is unknown")
    }
  }

  @Test func aSingleLineThatIsTooLargeIsSetAside() async throws {
    try await log.append(try ContractFiles.goodRun())
    let transport = ScriptedTransport { _, _ in HTTPAnswer(413, #"{"detail": "too large"}"#) }
    let progress = try await uploader(transport).sendAll()
    #expect(progress.rejected == [.init(line: 1, reason: "the server answered 413: too large")])
    #expect(transport.requests.count == 1)
    #expect(try await uploader(transport).sendAll() == progress)
    #expect(transport.requests.count == 1)
  }

  @Test func aServerThatStaysAwayEndsTheUploadAndNothingIsMarked() async throws {
    try await log.append(try ContractFiles.goodRun())
    let patience = PatientTest()
    let transport = ScriptedTransport { _, _ in throw MobiError.server("gone") }
    await #expect(throws: MobiError.server("gone")) { try await uploader(transport, patience).sendAll() }
    #expect(transport.requests.count == 3)
    #expect(await uploader(transport).progress() == Uploader.Progress())
  }

  @Test func aKillBeforeTheAnswerIsNotedSendsTheSameRunsAgain() async throws {
    for _ in 0..<2 { try await log.append(try ContractFiles.goodRun()) }
    let first = ScriptedTransport { request, _ in Self.accept(request) }
    _ = try await uploader(first).sendAll()
    try FileManager.default.removeItem(at: log.url.appendingPathExtension("sent"))
    let second = ScriptedTransport { _, _ in HTTPAnswer(200, #"{"accepted": 0, "duplicates": 2, "rejected": []}"#) }
    let progress = try await uploader(second).sendAll()
    #expect(second.requests.map(\.body) == first.requests.map(\.body))
    #expect(progress.duplicates == 2)
  }

  @Test func aDamagedJournalMeansThatNothingWasSent() async throws {
    try await log.append(try ContractFiles.goodRun())
    for journal in ["{", #"{"sent_bytes": "x"}"#] {
      try Data(journal.utf8).write(to: log.url.appendingPathExtension("sent"))
      #expect(await uploader(ScriptedTransport { _, _ in HTTPAnswer(500, "") }).progress() == Uploader.Progress())
    }
  }

  @Test func linesThatAreNoRunsAreSetAsideWithTheirNumbersAndTheOthersSent() async throws {
    try await log.append(try ContractFiles.goodRun())
    let file = try FileHandle(forUpdating: log.url)
    try file.seekToEnd()
    try file.write(contentsOf: Data("{\"schema\": \"mobi".utf8))  // a kill in the middle of a line
    try file.close()
    try await log.append(try ContractFiles.goodRun())
    let transport = ScriptedTransport { _, _ in HTTPAnswer(200, #"{"accepted": 2, "duplicates": 0, "rejected": []}"#) }
    let progress = try await uploader(transport).sendAll()
    #expect(Self.lines(of: transport.requests[0]).count == 2)
    #expect(progress.rejected.map(\.line) == [2])
  }

  @Test func aLineThatIsNotWholeYetWaits() async throws {
    try await log.append(try ContractFiles.goodRun())
    let whole = try Data(contentsOf: log.url)
    try (whole + Data("{\"schema".utf8)).write(to: log.url)
    let progress = try await uploader(ScriptedTransport { request, _ in Self.accept(request) }).sendAll()
    #expect(progress.sentBytes == whole.count)
    #expect(progress.rejected.isEmpty)
  }

  @Test func manyRunsGoInBatchesAndOnlyNewOnesLater() async throws {
    for _ in 0..<60 { try await log.append(try ContractFiles.goodRun()) }
    let transport = ScriptedTransport { request, _ in Self.accept(request) }
    #expect(try await uploader(transport).sendAll().accepted == 60)
    try await log.append(try ContractFiles.goodRun())
    #expect(try await uploader(transport).sendAll().accepted == 61)
    #expect(transport.requests.map { Self.lines(of: $0).count } == [50, 10, 1])
  }

  @Test func aLogThatWasReplacedByAShorterOneBeginsAnew() async throws {
    for _ in 0..<2 { try await log.append(try ContractFiles.goodRun()) }
    let transport = ScriptedTransport { request, _ in Self.accept(request) }
    _ = try await uploader(transport).sendAll()
    try FileManager.default.removeItem(at: log.url)
    try await log.append(try ContractFiles.goodRun())
    _ = try await uploader(transport).sendAll()
    #expect(transport.requests.map { Self.lines(of: $0).count } == [2, 1])
  }

  @Test func aLogIsSentOnceAtATime() async throws {
    try await log.append(try ContractFiles.goodRun())
    let transport = ScriptedTransport { request, _ in Self.accept(request) }
    let sender = uploader(transport)
    let errors = Collected<MobiError?>()
    transport.meanwhile = { errors.add(await thrownError { try await sender.sendAll() }) }
    #expect(try await sender.sendAll().accepted == 1)
    #expect(errors.items == [.config("this log is being sent already", hint: "Wait until it is sent")])
    #expect(transport.requests.count == 1)
  }

  @Test func thereMayBeNoLogYet() async throws {
    let transport = ScriptedTransport { _, _ in HTTPAnswer(500, "") }
    #expect(try await uploader(transport).sendAll() == Uploader.Progress())
    #expect(transport.requests.isEmpty)
  }
}
