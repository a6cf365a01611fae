import Foundation
import Testing

@testable import MobiRuntime

/// The golden lines of contract 2.
@Suite struct LatencyRunTests {
  struct Case: Decodable, Sendable {
    let line: Int
    let what: String
    let field: String?
  }

  static func cases(_ file: String) throws -> [Case] {
    let url = ContractFiles.folder.appendingPathComponent("latency/expected.json")
    return try JSONDecoder().decode([String: [Case]].self, from: Data(contentsOf: url))[file]!
  }

  @Test func goodLinesWhenWrittenAgainSayTheSame() throws {
    let lines = try ContractFiles.lines("latency/good.jsonl")
    let cases = try Self.cases("good.jsonl")
    #expect(lines.count == cases.count)
    for (line, item) in zip(lines, cases) {
      let run = try LatencyRun(jsonLine: line)
      let written = try #require(JSONSerialization.jsonObject(with: Data(run.jsonLine())) as? [String: Any])
      var expected = try #require(JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
      expected["later"] = nil  // unknown keys are allowed, and not kept
      var device = try #require(expected["device"] as? [String: Any])
      device["fold_state"] = nil
      expected["device"] = device
      expected["per_op"] = expected["per_op"] ?? [Any]()
      #expect(NSDictionary(dictionary: written) == NSDictionary(dictionary: expected), "\(item.what)")
      #expect(try LatencyRun(jsonLine: run.jsonLine()) == run, "\(item.what)")
    }
  }

  @Test func badLinesAreRefusedByField() throws {
    let lines = try ContractFiles.lines("latency/bad.jsonl")
    let cases = try Self.cases("bad.jsonl")
    #expect(lines.count == cases.count)
    for (line, item) in zip(lines, cases) {
      let error = mobiError { _ = try LatencyRun(jsonLine: line) }
      #expect(error?.kind == "DataError", "\(item.what)")
      #expect(error?.text.contains("\n") == false)
      if let field = item.field {
        #expect(error?.text.hasPrefix("\(field) is wrong") == true, "\(item.what): \(error?.text ?? "")")
      }
    }
  }

  @Test func aLineIsRefusedWhenItIsTooLong() {
    let line = [UInt8](repeating: UInt8(ascii: " "), count: 16 * 1024 * 1024 + 1)
    #expect(mobiError { _ = try LatencyRun(jsonLine: line) }?.text.hasPrefix("the line is too long") == true)
  }
}
