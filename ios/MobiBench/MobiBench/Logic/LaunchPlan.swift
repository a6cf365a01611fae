import Foundation
import MobiRuntime

/// A plan that the app was started with: `--plan NAME`, a file in the app's own storage.
///
/// No address, no token and no path comes from outside: whoever may write into the app's storage may measure.
struct LaunchPlan: Equatable, Sendable {
  /// What became of it, in `NAME.result.json`.
  struct Outcome: Equatable, Sendable {
    /// How it ended.
    enum Status: String, Sendable {
      case finished, cancelled, failed
    }

    let status: Status
    /// Whole runs that it left in the log.
    let runs: Int
    /// The sentence, where it failed.
    let error: String?
  }

  static let argument = "--plan"
  static let resultSchema = "mobisdk.plan-result/1"
  private static let longestName = 64

  let name: String

  /// The plan that `arguments` ask for; nil where they ask for none.
  ///
  /// Throws `MobiError.config` where the name is none.
  init?(arguments: [String]) throws {
    guard let place = arguments.firstIndex(of: Self.argument) else { return nil }
    let name = arguments.indices.contains(place + 1) ? arguments[place + 1] : ""
    let isName =
      (1...Self.longestName).contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 45 || byte == 95
      }
    guard isName else {
      throw MobiError.config(
        "the name of a plan is wrong", got: "'\(name.prefix(Self.longestName))'",
        allowed: "1 to 64 of A-Z a-z 0-9 - _", hint: "Start the app with --plan NAME for plans/NAME.json")
    }
    self.name = name
  }

  /// Reads `NAME.json`.
  ///
  /// Throws `MobiError.config`.
  func read(in folder: URL) throws -> BenchPlan {
    let content: Data
    do {
      content = try Data(contentsOf: folder.appendingPathComponent("\(name).json"))
    } catch {
      throw MobiError.config(
        "there is no plan of this name in the app's storage", got: name,
        hint: "Copy it to Documents/plans/\(name).json first")
    }
    return try BenchPlan(parsing: content)
  }

  /// The bundles of a plan, in its order; all of them where it names none.
  ///
  /// Throws `MobiError.config` that names what is missing.
  static func select(_ plan: BenchPlan, from bundles: [ModelBundle]) throws -> [ModelBundle] {
    let byName = Dictionary(bundles.map { ($0.directory.lastPathComponent, $0) }) { first, _ in first }
    let selected =
      try plan.bundles.isEmpty
      ? bundles
      : plan.bundles.map { name in
        guard let bundle = byName[name] else {
          throw MobiError.config(
            "the plan names a bundle that is not on this phone", got: name,
            allowed: byName.keys.sorted().joined(separator: ", "))
        }
        return bundle
      }
    guard !selected.isEmpty else {
      throw MobiError.config("there is no bundle on this phone to measure", hint: "Add one first")
    }
    return selected
  }

  /// Writes `NAME.result.json`, whole or not at all: whoever waits for the file reads all of it.
  func write(_ outcome: Outcome, in folder: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try encoder.encode(Result(plan: name, outcome: outcome)).write(
      to: folder.appendingPathComponent("\(name).result.json"), options: .atomic)
  }

  /// Removes the result of an earlier start, which nobody must take for this one's.
  func removeResult(in folder: URL) {
    try? FileManager.default.removeItem(at: folder.appendingPathComponent("\(name).result.json"))
  }

  /// As the contract says; `error` is there even where it is null.
  private struct Result: Encodable {
    let plan: String
    let outcome: Outcome

    enum CodingKeys: String, CodingKey {
      case schema, plan, status, runs, error
    }

    func encode(to encoder: any Encoder) throws {
      var fields = encoder.container(keyedBy: CodingKeys.self)
      try fields.encode(LaunchPlan.resultSchema, forKey: .schema)
      try fields.encode(plan, forKey: .plan)
      try fields.encode(outcome.status.rawValue, forKey: .status)
      try fields.encode(outcome.runs, forKey: .runs)
      try fields.encode(outcome.error, forKey: .error)
    }
  }
}
