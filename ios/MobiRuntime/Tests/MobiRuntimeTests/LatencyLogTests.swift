import Foundation
import Testing

@testable import MobiRuntime

/// A log that lives through kills, full disks and strangers.
@Suite struct LatencyLogTests {
  private let scratch: ScratchFolder
  private let log: LatencyLog

  init() throws {
    scratch = try ScratchFolder()
    log = LatencyLog(at: scratch.url.appendingPathComponent("logs/runs.jsonl"))
  }

  @Test func whatIsAppendedIsReadInOrder() async throws {
    #expect(try await log.read() == LatencyLog.Contents())
    let runs = try (0..<3).map { _ in try ContractFiles.goodRun() }
    for run in runs { try await log.append(run) }
    #expect(try await log.read() == LatencyLog.Contents(runs: runs))
  }

  @Test func aKillAtAnyByteOfALineLosesThatLineAlone() async throws {
    let (first, second, third) = try (ContractFiles.goodRun(), ContractFiles.goodRun(), ContractFiles.goodRun())
    try await log.append(first)
    let whole = try Data(contentsOf: log.url)
    let line = try second.jsonLine()
    for count in [1, 2, line.count / 2, line.count - 1] {
      try (whole + line.prefix(count)).write(to: log.url)
      try await log.append(third)
      let contents = try await log.read()
      #expect(contents.runs == [first, third])
      #expect(contents.setAside.map(\.line) == [2])
    }
    try (whole + line).write(to: log.url)  // all but the line's end: the run is whole
    try await log.append(third)
    #expect(try await log.read() == LatencyLog.Contents(runs: [first, second, third]))
  }

  @Test func aRunThatIsThereTwiceIsReadOnce() async throws {
    var run = try ContractFiles.goodRun()
    try await log.append(run)
    run.runID = run.runID.uppercased()
    try await log.append(run)
    #expect(try await log.read().runs.count == 1)
  }

  @Test func aRunThatBreaksTheContractIsNotWritten() async throws {
    var run = try ContractFiles.goodRun()
    run.sampleAtNs.removeLast()
    let error = await thrownError { try await log.append(run) }
    #expect(error?.description.hasPrefix("sample_at_ns is wrong") == true)
    #expect(!FileManager.default.fileExists(atPath: log.url.path))
  }

  #if os(Linux)
    @Test func aFullDiskIsSaidAndNothingIsHalfWritten() async throws {
      let full = LatencyLog(at: URL(fileURLWithPath: "/dev/full"))
      let error = await thrownError { try await full.append(try ContractFiles.goodRun()) }
      #expect(error.map(errorName) == "DeviceError")
      #expect(error?.description.hasPrefix("full cannot be written") == true)
      #expect(error?.description.hasSuffix("Free some space and run it again") == true)
    }
  #endif

  @Test func timesAreRFC3339() {
    let date = Date(timeIntervalSince1970: 1_700_000_000.25)
    #expect(Timestamp.format(date) == "2023-11-14T22:13:20.250Z")
    #expect(Timestamp.formatHour(date) == "2023-11-14T22:00:00Z")
    #expect(Timestamp.formatHour(Date(timeIntervalSince1970: -1)) == "1969-12-31T23:00:00Z")
  }
}
