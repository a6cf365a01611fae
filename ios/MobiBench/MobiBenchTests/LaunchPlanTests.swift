import Foundation
import MobiRuntime
import Testing

@testable import MobiBench

/// A plan that the app is started with.
@Suite struct LaunchPlanTests {
  private let folder: URL = FileManager.default.temporaryDirectory.appendingPathComponent("plans-\(UUID().uuidString)")

  @Test func noArgumentMeansNoPlan() throws {
    #expect(try LaunchPlan(arguments: ["MobiBench", "-AppleLanguages", "(ar)"]) == nil)
  }

  @Test func theNameIsTheArgumentAfterIt() throws {
    #expect(try LaunchPlan(arguments: ["MobiBench", "--plan", "nightly_1"])?.name == "nightly_1")
  }

  @Test(arguments: [
    ["--plan"], ["--plan", ""], ["--plan", "../../etc/passwd"], ["--plan", "https://lab"], ["--plan", "ليلي"],
    ["--plan", "a b"], ["--plan", String(repeating: "a", count: 65)],
  ])
  func aNameThatIsNoneIsRefused(arguments: [String]) {
    #expect(throws: MobiError.self) { try LaunchPlan(arguments: ["MobiBench"] + arguments) }
  }

  @Test func planAndResultLieInTheAppsOwnStorage() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let plan = try #require(try LaunchPlan(arguments: ["--plan", "nightly"]))
    #expect(throws: MobiError.self) { try plan.read(in: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(#"{"schema": "mobisdk.plan/1", "mode": "sustained", "seconds": 90}"#.utf8).write(
      to: folder.appendingPathComponent("nightly.json"))
    let read = try plan.read(in: folder)
    #expect(read.mode == .sustained && read.config.seconds == 90)

    try plan.write(.init(status: .failed, runs: 2, error: "too hot"), in: folder)
    let result = folder.appendingPathComponent("nightly.result.json")
    let fields = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: result)) as? [String: Any])
    #expect(Set(fields.keys) == ["schema", "plan", "status", "runs", "error"])
    #expect(fields["schema"] as? String == "mobisdk.plan-result/1")
    #expect(fields["plan"] as? String == "nightly")
    #expect(fields["status"] as? String == "failed")
    #expect(fields["runs"] as? Int == 2)
    #expect(fields["error"] as? String == "too hot")

    plan.removeResult(in: folder)
    #expect(!FileManager.default.fileExists(atPath: result.path))
    try plan.write(.init(status: .finished, runs: 3, error: nil), in: folder)
    #expect(try String(contentsOf: result, encoding: .utf8).contains(#""error" : null"#))
  }

  @Test func bundlesAreThoseOfThePlanInItsOrder() throws {
    let bundle = try ModelBundle.open(contractBundle)
    let all = try BenchPlan(parsing: Data(#"{"schema": "mobisdk.plan/1"}"#.utf8))
    #expect(try LaunchPlan.select(all, from: [bundle]) == [bundle])
    #expect(throws: MobiError.self) { try LaunchPlan.select(all, from: []) }
    let named = try BenchPlan(parsing: Data(#"{"schema": "mobisdk.plan/1", "bundles": ["ios"]}"#.utf8))
    #expect(try LaunchPlan.select(named, from: [bundle]) == [bundle])
    let gone = try BenchPlan(parsing: Data(#"{"schema": "mobisdk.plan/1", "bundles": ["gone"]}"#.utf8))
    do {
      _ = try LaunchPlan.select(gone, from: [bundle])
      Issue.record("it must be refused")
    } catch MobiError.config(_, let got, let allowed, _) {
      #expect(got == "gone" && allowed == "ios")
    }
  }
}

/// A good bundle of the contract's files; beside this file in a clone, on a Mac too.
let contractBundle = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("tests/contract/bundles/ios")
