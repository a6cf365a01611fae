import Foundation
import MobiRuntime
import Testing

@testable import MobiBench

/// The table: medians of the runs that count.
@Suite struct ResultRowTests {
  private let runs: [LatencyRun]

  init() throws {
    let log = contractBundle.deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("latency/good.jsonl")
    runs = try Data(contentsOf: log).split(separator: UInt8(ascii: "\n")).map { try LatencyRun(jsonLine: $0) }
  }

  private func run(_ mode: LatencyRun.Mode, _ samples: [Int], foreground: Bool? = true) throws -> LatencyRun {
    var run = try #require(runs.first { $0.mode == .burst })
    run.mode = mode
    run.inferenceNs = samples
    run.conditions.foreground = foreground
    run.runtime.computeUnits = "all"
    run.loadNs = 7_000_000
    return run
  }

  @Test func quantilesAreNumPys() {
    // numpy.quantile([1, 2, 4, 8, 16], [0, 0.5, 0.9, 1]) = 1, 4, 12.8, 16
    let values = [1, 2, 4, 8, 16]
    #expect([0, 0.5, 0.9, 1].map { ResultRow.quantile($0, ofSorted: values) } == [1, 4, 13, 16])
    #expect(ResultRow.quantile(0.5, ofSorted: []) == nil)
    #expect(ResultRow.quantile(0.9, ofSorted: [5]) == 5)
  }

  @Test func runsOfOneBundleModeAndUnitsAreOneRow() throws {
    let rows = ResultRow.rows(of: [
      try run(.burst, [10, 30]), try run(.sustained, [100]), try run(.burst, [20]),
    ])
    #expect(rows.map(\.mode) == [.burst, .sustained])
    #expect(rows[0].runs == 2 && rows[0].medianNs == 20 && rows[0].loadNs == 7_000_000)
    #expect(rows[0].bundleName.hasSuffix(String(runs[0].bundle.bundleID.prefix(8))))
    #expect(Set(rows.map(\.id)).count == 2)
  }

  @Test func aRunThatLeftTheForegroundIsMarkedAndNotCounted() throws {
    let rows = ResultRow.rows(of: [
      try run(.burst, [10]), try run(.burst, [9_000], foreground: false), try run(.burst, [12], foreground: nil),
    ])
    #expect(rows.count == 1)
    #expect(rows[0].runs == 2 && rows[0].marked == 1 && rows[0].medianNs == 11)
  }

  @Test func aRowOfMarkedRunsAloneHasNoFigures() throws {
    let row = try #require(ResultRow.rows(of: [try run(.burst, [10], foreground: false)]).first)
    #expect(row.runs == 0 && row.marked == 1)
    #expect(row.medianNs == nil && row.p90Ns == nil && row.loadNs == nil && row.firstInferenceNs == nil)
  }

  @Test func everyGoodLineOfTheContractHasARow() {
    #expect(ResultRow.rows(of: runs).reduce(0) { $0 + $1.runs + $1.marked } == runs.count)
  }
}
